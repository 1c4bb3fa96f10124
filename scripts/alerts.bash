# For scripts/metrics: what makes alerts fire, and what ends them, on servers of their own. To be sourced after metrics.bash.
#
# What goes wrong at different servers goes wrong together, so that the waits are not added up. Disk and clock of `held` are held by what
# `stockhold soak` has for that; every other trouble is real.

victims=(elsewhere held slow full)

# fires ALERT SERVER and ends ALERT SERVER wait for it.
fires() {
  # Or has: some are over in seconds, which a busy machine may miss.
  until_so "$1 fires at $2" has "count_over_time(ALERTS{alertname=\"$1\",alertstate=\"firing\",instance=\"${url[$2]#http://}\"}[2m])"
  echo "$1" >>"$work/fired"
}
ends() {
  grep --quiet --line-regexp "$1" "$work/fired" || fail "$1 ends, and never fired"
  until_so "$1 ends at $2" has_not "ALERTS{alertname=\"$1\",alertstate=\"firing\",instance=\"${url[$2]#http://}\"}"
  echo "$1" >>"$work/ended"
}

serve_victims() {
  # Its points are kept by a service that is down, and its messages are given up soon.
  serve elsewhere 127.0.0.1:0 --points-service http://127.0.0.1:1 --points-service-patience 10ms --webhook-private-hosts 127.0.0.1 \
    --webhook-retry-for 1s
  # Its disk and its clock are held; the last event is copied away every second.
  mkdir "$work/copies"
  serve_told held 127.0.0.1:0 --points-service http://127.0.0.1:1 --points-service-patience 10ms --webhook-private-hosts 127.0.0.1 \
    --sync-timeout 300ms --backup-to "$work/copies/held" --backup-every 1s
  # Its points service takes calls, and never answers.
  start_points 127.0.0.1:0 --trouble stall=1
  serve slow 127.0.0.1:0 --points-service "${url[points]}" --points-service-patience 1s --points-service-timeout 1s \
    --points-service-queue 2 --points-service-failures 1000
  # Its disk will take no more.
  serve full 127.0.0.1:0 --checkpoint-events 10
}
start_points() {
  local listen=$1
  shift
  begin points /dev/null "$program" points stand-in --listen "$listen" --book "$work/book.json" --balance demo=1000000000 "$@"
}

try_alerts() {
  local there of_slow of_full of_held id
  : >"$work/fired"
  : >"$work/ended"
  there=$(token elsewhere demo user) of_slow=$(token slow demo user) of_full=$(token full demo user) of_held=$(token held demo user)
  local ops_there ops_full ops_held
  ops_there=$(token elsewhere ops operator) ops_full=$(token full ops operator) ops_held=$(token held ops operator)
  ask full "$ops_full" POST /api/admin/points/demo/award '{"points":1000000000}' >/dev/null

  # What an operator did, and what nobody has seen.
  ask sale "$operator" POST /api/admin/webhooks '{"receiverId":"gone","url":"http://127.0.0.1:1/","events":["order.*"]}' >/dev/null
  ask sale "$operator" PATCH /api/admin/webhooks/gone '{"enabled":false}' >/dev/null
  # Receivers that are down.
  ask elsewhere "$ops_there" POST /api/admin/webhooks '{"receiverId":"lost","url":"http://127.0.0.1:1/","events":["order.*"]}' >/dev/null
  ask held "$ops_held" POST /api/admin/webhooks '{"receiverId":"late","url":"http://127.0.0.1:1/","events":["order.*"]}' >/dev/null
  # Points that cannot be had, and those that come late.
  buy held "$of_held" 2
  while :; do
    buy elsewhere "$there" 3
    buy slow "$of_slow" 6 prod_movie --parallel --parallel-immediate --parallel-max 6
  done &
  pids[buyers]=$!
  # A disk that takes no new file, and then one that takes no more of history.
  mv "$work/full/checkpoint" "$work/full/checkpoint.away"
  touch "$work/full/checkpoint"
  buy full "$of_full" 300
  fires StockholdCheckpointFails full
  rm "$work/full/checkpoint"
  mv "$work/full/checkpoint.away" "$work/full/checkpoint"
  # Once history has written what was bought, its manifest can no longer be.
  until_so "a history that is written" has "stockhold_history_rows{instance=\"${url[full]#http://}\"} == 0"
  mkdir "$work/full/store.manifest.new"
  buy full "$of_full" 50
  # The target of the backup is gone.
  until_so "a backup" has "stockhold_backup_last_seq{instance=\"${url[held]#http://}\"} > 0"
  mv "$work/copies" "$work/copies.away"
  touch "$work/copies"
  # Hardly any descriptors are left to it.
  local open
  open=$(find "/proc/${pids[sale]}/fd" -mindepth 1 | wc -l)
  prlimit --pid "${pids[sale]}" --nofile="$((open * 107 / 100 + 1)):"

  for id in StockholdWebhookOff StockholdStockUnseen StockholdDescriptorsFew; do fires "$id" sale; done
  for id in StockholdPointsServiceDown StockholdErrors StockholdWebhookGivenUp; do fires "$id" elsewhere; done
  for id in StockholdExchangesSlow StockholdOverloaded; do fires "$id" slow; done
  gone buyers
  fires StockholdHistoryFailed full
  fires StockholdBackupFails held
  # Just after a round over the books, two hours go by: what waits has waited for as long.
  buy held "$of_held" 2
  until_so "a round that ended just now" has "stockhold_books_age_seconds{instance=\"${url[held]#http://}\"} < 3"
  echo 7200000 >&"${tell[held]}"
  for id in BooksUnseen BackupBehind WebhookBehind SagasStuck; do fires "Stockhold$id" held; done

  # All of that is mended.
  prlimit --pid "${pids[sale]}" --nofile="4096:"
  ask sale "$operator" PATCH /api/admin/webhooks/gone '{"enabled":true}' >/dev/null
  for id in $(ask sale "$operator" GET '/api/admin/inventory/alerts?acknowledged=false' | jq --raw-output '.data.alerts[].alertId'); do
    ask sale "$operator" POST "/api/admin/inventory/alerts/$id/ack" >/dev/null
  done
  rm "$work/copies"
  mv "$work/copies.away" "$work/copies"
  # A receiver that answers 200 to whatever is asked of it.
  local well
  well='{"url":"'"$prometheus/api/v1/query?query=1"'"}'
  ask elsewhere "$ops_there" PATCH /api/admin/webhooks/lost "$well" >/dev/null
  ask elsewhere "$ops_there" POST /api/admin/webhooks/dead/replay '{"receiverId":"lost"}' >/dev/null
  ask held "$ops_held" PATCH /api/admin/webhooks/late "$well" >/dev/null
  local points=${url[points]#http://}
  gone points
  start_points "$points"
  # A disk that fails a write of the journal, which nothing but a new start mends.
  ends StockholdCheckpointFails full
  prlimit --pid "${pids[full]}" --fsize=4096
  buy full "$of_full" 1
  for id in StockholdPoisoned StockholdNotReady; do fires "$id" full; done
  rmdir "$work/full/store.manifest.new"
  again full
  for id in HistoryFailed Poisoned NotReady; do ends "Stockhold$id" full; done
  for id in WebhookOff StockUnseen DescriptorsFew; do ends "Stockhold$id" sale; done
  ends StockholdWebhookGivenUp elsewhere
  for id in BackupFails BackupBehind WebhookBehind; do ends "Stockhold$id" held; done

  # A disk that hangs, one that is slow, and one that fills.
  echo "disk hangs" >&"${tell[held]}"
  buy held "$of_held" 1
  fires StockholdDiskStalled held
  echo "disk answers" >&"${tell[held]}"
  fires StockholdDiskSlow held
  local left
  for left in 9 8 7 6 5 4; do
    echo "disk has ${left}000000000" >&"${tell[held]}"
    sleep 0.6
  done
  fires StockholdDiskFills held
  echo "disk has 90000000000" >&"${tell[held]}"
  ends StockholdDiskStalled held

  # One that is killed, and then has no room.
  gone elsewhere
  fires StockholdDown elsewhere
  serve elsewhere "${url[elsewhere]#http://}" --low-space-mark 1000000000000000
  fires StockholdLowSpace elsewhere
  for id in Down PointsServiceDown Errors; do ends "Stockhold$id" elsewhere; done
  again elsewhere
  ends StockholdLowSpace elsewhere
  for id in ExchangesSlow Overloaded; do ends "Stockhold$id" slow; done
  for id in BooksUnseen DiskSlow DiskFills; do ends "Stockhold$id" held; done
  # Without whoever held its clock, it is two hours ahead of the machine. Its points service is well now.
  again held --points-service "${url[points]}"
  fires StockholdClockWrong held
  ends StockholdSagasStuck held
  gone held
  "$program" clock "$work/held" --mend >/dev/null
  serve held "${url[held]#http://}" --points-service "${url[points]}"
  ends StockholdClockWrong held
}

# What takes a database of its own, or minutes.
try_the_rest() {
  local token_of
  # One that is killed again and again.
  for _ in 1 2 3; do
    again elsewhere
    until_so "it is seen again" has "time() - process_start_time_seconds{instance=\"${url[elsewhere]#http://}\"} < 20"
  done
  fires StockholdRestarts elsewhere
  scripts/program mariadbd mariadb-server-core "the mirror's alerts ask" >/dev/null
  scripts/program mariadb mariadb-client-core "the mirror's alerts ask" >/dev/null
  PATH=$PATH:/usr/sbin mariadb-install-db --no-defaults --datadir="$work/db" --auth-root-authentication-method=normal \
    --skip-test-db >"$work/db.log" 2>&1 || fail "no database"
  start_database
  serve mirrored 127.0.0.1:0 --mirror-url "mysql://root@127.0.0.1:$port_of_db/mall"
  serve_told behind 127.0.0.1:0 --mirror-url "mysql://root@127.0.0.1:$port_of_db/behind" --mirror-backlog-max 1 \
    --user-requests-per-minute 1000000
  watch sale "${victims[@]}" mirrored behind
  kill -HUP "${pids[prometheus]}"

  # There is no such database; then there is, and it refuses an order.
  fires StockholdMirrorHelpless mirrored
  sql 'create database mall; create database behind'
  ends StockholdMirrorHelpless mirrored
  until_so "the tables" sql 'select 1 from mall.exchange_orders'
  sql "create trigger mall.never before insert on mall.exchange_orders for each row signal sqlstate '45000'"
  token_of=$(token mirrored demo user)
  buy mirrored "$token_of" 1
  fires StockholdMirrorRejects mirrored
  sql 'drop trigger mall.never'
  gone mirrored
  "$program" mirror reload --data-dir "$work/mirrored" --mirror-url "mysql://root@127.0.0.1:$port_of_db/mall" >/dev/null
  serve mirrored "${url[mirrored]#http://}" --mirror-url "mysql://root@127.0.0.1:$port_of_db/mall"
  ends StockholdMirrorRejects mirrored

  # It is down, and an hour goes by.
  token_of=$(token behind demo user)
  until_so "the mirror follows" has "stockhold_mirror_lag_events{instance=\"${url[behind]#http://}\"} == 0"
  ask behind "$(token behind ops operator)" POST /api/admin/points/demo/award '{"points":1000000000}' >/dev/null
  gone db
  # More than a segment of the journal, of which only whole ones are kept for anybody.
  buy behind "$token_of" 1600
  echo 3600000 >&"${tell[behind]}"
  for id in MirrorBehind MirrorBacklogFull; do fires "Stockhold$id" behind; done
  start_database
  for id in MirrorBehind MirrorBacklogFull; do ends "Stockhold$id" behind; done
  patience=200 ends StockholdRestarts elsewhere
}
start_database() {
  port_of_db=${port_of_db:-$((20000 + RANDOM % 12000))}
  PATH=$PATH:/usr/sbin mariadbd --no-defaults --user="$(id -un)" --datadir="$work/db" --socket="$work/db.sock" --pid-file="$work/db.pid" \
    --bind-address=127.0.0.1 --port="$port_of_db" >>"$work/db.log" 2>&1 &
  pids[db]=$!
  until_so "the database" sql 'select 1'
}
sql() { mariadb --no-defaults --user=root --socket="$work/db.sock" --execute "$1" >/dev/null 2>&1; }
