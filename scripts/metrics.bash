# For scripts/metrics: servers of the program in $program that a Prometheus watches, all of them in $work. To be sourced.

declare -A pids url tell
clean_up() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
fail() {
  echo "$*" >&2
  tail -n 5 "$work"/*.log >&2
  [ -z "${prometheus:-}" ] || curl --silent "$prometheus/api/v1/targets" | jq --compact-output '.data.activeTargets[] | [.scrapeUrl, .lastError]' >&2
  exit 1
}

# until_so WHAT COMMAND...: tries until it succeeds; a minute is long, unless $patience says otherwise.
until_so() {
  local what=$1 started=$SECONDS
  shift
  until "$@"; do
    [ $((SECONDS - started)) -lt "${patience:-60}" ] || fail "in vain: $what"
    sleep 0.2
  done
}

# begin NAME STDIN COMMAND...: starts what prints where it listens, and waits for that. A file that becomes too long is an error there, and
# no signal.
begin() {
  local name=$1 stdin=$2 line out
  shift 2
  exec {out}< <(trap '' XFSZ && exec "$@" <"$stdin" 2>>"$work/$name.log")
  pids[$name]=$!
  url[$name]=
  while [ -z "${url[$name]}" ]; do
    read -r line <&"$out" || fail "$name does not start"
    url[$name]=$(grep -o -m1 'http://[0-9.:]*' <<<"$line") || true
  done
}
# serve NAME ADDRESS [OPTION...]: a shop of its own.
serve() {
  local name=$1 listen=$2
  shift 2
  begin "$name" /dev/null "$program" serve --demo --listen "$listen" --data-dir "$work/$name" "$@"
}
# serve_told NAME ADDRESS [OPTION...]: one whose disk and clock do what is said to ${tell[NAME]}.
serve_told() {
  local name=$1 listen=$2 to
  shift 2
  mkfifo "$work/$name.told"
  # Open for reading, too, so that nobody waits for the other end.
  exec {to}<>"$work/$name.told"
  tell[$name]=$to
  echo 0 >&"$to"
  begin "$name" "$work/$name.told" "$program" serve --soaked --demo --listen "$listen" --data-dir "$work/$name" "$@"
}
# again NAME [OPTION...]: kills it, and serves at the same address.
again() {
  local name=$1 listen=${url[$1]#http://}
  shift
  gone "$name"
  serve "$name" "$listen" "$@"
}
gone() {
  kill -KILL "${pids[$1]}"
  wait "${pids[$1]}" 2>/dev/null || true
}
token() { "$program" token --user "$2" --role "$3" --ttl 2d --data-dir "$work/$1" | tail -n 1; }
# ask NAME TOKEN METHOD PATH [BODY]
ask() {
  curl --silent --show-error --globoff --max-time 20 --request "$3" --header "Authorization: Bearer $2" \
    --header 'Content-Type: application/json' ${5:+--data "$5"} "${url[$1]}$4"
}
# buy NAME TOKEN COUNT [PRODUCT] [CURL OPTION...]: exchanges, whatever is answered.
buy() {
  local name=$1 token=$2 count=$3 product=${4:-prod_movie}
  shift $(($# < 4 ? $# : 4))
  curl --silent --output /dev/null --max-time 20 "$@" --header "Authorization: Bearer $token" --header 'Content-Type: application/json' \
    --data '{"productId":"'"$product"'","quantity":1}' "${url[$name]}/api/mall/exchange#[1-$count]" || true
}

# watch NAME...: configures a Prometheus of rules.yml that asks these servers.
watch() {
  local name
  {
    printf 'global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }\nrule_files: [rules.yml]\nscrape_configs:\n'
    for name in "$@"; do
      token "$name" prometheus monitor >"$work/$name.token"
      printf '  - job_name: %s\n    authorization: { credentials_file: %s }\n    static_configs: [{ targets: ["%s"] }]\n' \
        "$name" "$work/$name.token" "${url[$name]#http://}"
      printf '    relabel_configs: [{ target_label: job, replacement: stockhold }]\n'
    done
  } >"$work/prometheus.yml"
}
# It does not say which port it took, so a free one is looked for.
start_prometheus() {
  local port=$((20000 + RANDOM % 12000)) started=$SECONDS
  prometheus=http://127.0.0.1:$port
  prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" --web.listen-address="127.0.0.1:$port" \
    >"$work/prometheus.log" 2>&1 &
  pids[prometheus]=$!
  until curl --silent --fail --output /dev/null "$prometheus/-/ready"; do
    kill -0 "${pids[prometheus]}" 2>/dev/null || return 1
    [ $((SECONDS - started)) -lt 60 ] || return 1
    sleep 0.1
  done
}

# query EXPRESSION: how many series it has now.
query() {
  curl --silent --show-error --data-urlencode "query=$1" "$prometheus/api/v1/query" | tee "$work/answer" |
    jq --exit-status 'if .status == "success" then .data.result | length else error(.error) end'
}
has() { [ "$(query "$1" 2>/dev/null || echo 0)" -gt 0 ]; }
has_not() { [ "$(query "$1")" -eq 0 ]; }
