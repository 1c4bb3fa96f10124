//! Where the server is, and what it bears of its clients.

use super::DAY_MS;
use crate::engine::EngineBuilder;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

const CONNECTIONS_MAX: u64 = 1_000_000;
const PLACES: &str = "IP:PORT, as in 127.0.0.1:3000 or [::]:3000, or unix:/PATH, or tls:IP:PORT";

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "listen",
        value: "ADDR",
        default: Is("127.0.0.1:3000"),
        takes: Takes::List {
            form: PLACES,
            add: |to, text| text.parse().ok().map(|place| to.listen.push(place)),
        },
        help: "Where to listen; it can be repeated",
        more: "Port 0 takes a free one and prints it. See [Listeners](#listeners)",
    },
    Setting {
        name: "operators_listen",
        value: "ADDR",
        default: Unset("as everybody"),
        takes: Takes::List {
            form: PLACES,
            add: |to, text| text.parse().ok().map(|place| to.operators_listen.push(place)),
        },
        help: "Where operators and monitors are listened to, and nowhere else then; it can be repeated",
        more: "See [Listeners](#listeners)",
    },
    Setting {
        name: "operators_connections",
        value: "N",
        default: Is("64"),
        takes: Takes::Number {
            max: CONNECTIONS_MAX,
            set: |to, count| to.limits.operators_connections = count as usize,
        },
        help: "How many connections to serve there at one time",
        more: "They are counted apart from all others",
    },
    Setting {
        name: "socket_mode",
        value: "MODE",
        default: Is("0660"),
        takes: Takes::Text {
            form: "a mode in octal, as in 0660",
            set: |to, text| {
                let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
                mode.map(|mode| to.socket_mode = mode)
            },
        },
        help: "Who may connect to Unix sockets that the server makes: the mode of their files",
        more: "0660 is the user and the group that the server runs as",
    },
    Setting {
        name: "data_dir",
        value: "DIR",
        default: Is("./data"),
        takes: Takes::Path { set: |to, path| to.data_dir = path },
        help: "Where the server keeps its data; the secret that a demo made is found there",
        more: "It is made when it is missing",
    },
    Setting {
        name: "max_connections",
        value: "N",
        default: Is("10000"),
        takes: Takes::Number {
            max: CONNECTIONS_MAX,
            set: |to, count| to.limits.connections = count as usize,
        },
        help: "How many connections to serve at one time",
        more: "Fewer where the limit of open files is too low, which the log says. See [Connections](#connections)",
    },
    Setting {
        name: "max_connections_per_address",
        value: "N",
        default: Unset("half of them"),
        takes: Takes::Number {
            max: CONNECTIONS_MAX,
            set: |to, count| to.connections_per_address = Some(count as usize),
        },
        help: "How many of them one address may have, an IPv4 address or a /64 of IPv6",
        more: "Further connections get 503. Behind one proxy: as many as `--max-connections`",
    },
    Setting {
        name: "idle_timeout",
        value: "TIME",
        default: Is("75s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.limits.idle_timeout = time },
        help: "How long a kept connection may be idle: longer than the proxy before the server keeps it",
        more: "See [Proxies](#proxies)",
    },
    Setting {
        name: "head_timeout",
        value: "TIME",
        default: Is("30s"),
        takes: Takes::Time { ms: 10..=DAY_MS, set: |to, time| to.limits.header_timeout = time },
        help: "How long a client may take to send a request's head",
        more: "",
    },
    Setting {
        name: "answer_memory",
        value: "BYTES",
        default: Is("268435456"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.answer_bytes = bytes as usize },
        help: "How many bytes of answers may wait to be read by their clients",
        more: "Beyond that, requests hear 503",
    },
    Setting {
        name: "answer_memory_per_user",
        value: "BYTES",
        default: Is("33554432"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.answer_bytes_per_user = bytes as usize },
        help: "How many of them for one user, or one address without a token",
        more: "The longest answer, a page of 100 orders, may have 10 MiB",
    },
    Setting {
        name: "shutdown_timeout",
        value: "TIME",
        default: Is("60s"),
        takes: Takes::Time {
            ms: 10..=DAY_MS,
            set: |to, time| {
                to.shutdown_timeout = time;
                to.limits.drain_timeout = to.limits.drain_timeout.min(time / 4);
                to.engine(EngineBuilder::close_limit, time / 2);
            },
        },
        help: "How long stopping may take, whatever hangs",
        more: "",
    },
    Setting {
        name: "user_requests_per_minute",
        value: "N",
        default: Is("1200"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.user_requests_per_minute = Some(count),
        },
        help: "How many orders a user may make, confirm and cancel in a minute, all together",
        more: "Beyond that, requests are `RATE_LIMITED`",
    },
    Setting {
        name: "user_bytes_per_minute",
        value: "BYTES",
        default: Is("1048576"),
        takes: Takes::Bytes { set: |to, bytes| to.limits.user_bytes_per_minute = Some(bytes) },
        help: "How many bytes those may write",
        more: "Their bodies count, and 512 for each",
    },
    Setting {
        name: "user_reads_per_minute",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.user_reads_per_minute = Some(count),
        },
        help: "How many requests that only read a user may make in a minute",
        more: "From whatever address, and by whatever service; operators have no limit",
    },
    Setting {
        name: "address_requests_per_minute",
        value: "N",
        default: Unset("no limit"),
        takes: Takes::Number {
            max: 1 << 50,
            set: |to, count| to.limits.address_requests_per_minute = Some(count),
        },
        help: "How many requests may come from one address in a minute, an IPv4 address or a /64 of IPv6",
        more: "Of users, and without a good token; not to `/health` and `/ready`. Not behind a proxy, whose address everybody has",
    },
];
