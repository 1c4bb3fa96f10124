//! Whose word is taken about the address of a client.

use crate::http::ProxyHeader;
use crate::settings::config::Config;
use crate::settings::setting::Fallback::{Is, Unset};
use crate::settings::setting::{Setting, Takes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "trusted_proxies",
        value: "ADDR",
        default: Unset("none"),
        takes: Takes::List {
            form: "an address, a network as in 10.0.0.0/8, or unix",
            add: |to, text| {
                to.proxies = std::mem::take(&mut to.proxies).trusting(text)?;
                Some(())
            },
        },
        help: "Proxies whose word is taken about the address of a client; it can be repeated",
        more: "`unix` is whoever comes by a Unix socket. See [Proxies](#proxies)",
    },
    Setting {
        name: "proxy_header",
        value: "HEADER",
        default: Is("x-forwarded-for"),
        takes: Takes::Choice {
            of: &[
                ("x-forwarded-for", |to| set_header(to, ProxyHeader::XForwardedFor)),
                ("forwarded", |to| set_header(to, ProxyHeader::Forwarded)),
                ("none", |to| set_header(to, ProxyHeader::Ignored)),
            ],
        },
        help: "The header in which they say it",
        more: "The one that they set: the other one is as its client wrote it",
    },
    Setting {
        name: "proxy_protocol",
        value: "WHETHER",
        default: Is("off"),
        takes: Takes::Choice {
            of: &[
                ("off", |_| {}),
                ("on", |to| to.proxies = std::mem::take(&mut to.proxies).announced()),
            ],
        },
        help: "Whether connections begin with the PROXY protocol, of version 1 or 2",
        more: "Then trusted proxies alone may connect, but to a listener for operators",
    },
];

fn set_header(to: &mut Config, header: ProxyHeader) {
    to.proxies = std::mem::take(&mut to.proxies).header(header);
}
