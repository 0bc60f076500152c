# A throwaway PostgreSQL with the demonstration's data, and what stands before it. For script/bench.

tools=$(dirname "$(readlink -f "$(command -v initdb || ls -1d /usr/lib/postgresql/*/bin/initdb | sort -V | tail -1)")")
place=$(mktemp -d)
started=()
export PGHOST=127.0.0.1 PGUSER=postgres PGPASSWORD=bench PGDATABASE=crm

# the server and PgBouncer refuse to run as root
unprivileged() { if [ "$(id -u)" = 0 ]; then runuser -u "$account" -- "$@"; else "$@"; fi; }

free_port() {
    local port
    for port in $(shuf -i 20000-60000 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

until_open() { # PORT
    for _ in $(seq 200); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    echo "nothing listens on port $1" >&2
    return 1
}

finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    [ -d "$place/data" ] && unprivileged "$tools/pg_ctl" -D "$place/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$place"
}

server_version() { "$tools/postgres" --version | sed 's/^postgres (PostgreSQL) /PostgreSQL /; s/ (.*//'; }

begin() {
    trap finish EXIT
    ulimit -Sn "$(ulimit -Hn)"
    account=$(getent passwd postgres >/dev/null && echo postgres || echo nobody)
    chmod 755 "$place"
    install -d -o "$(id -u "$([ "$(id -u)" = 0 ] && echo "$account" || id -un)")" "$place/data" "$place/bouncer"
    direct=$(free_port)
    echo bench >"$place/password"
    unprivileged "$tools/initdb" -D "$place/data" -U postgres -A scram-sha-256 --pwfile="$place/password" >/dev/null
    unprivileged "$tools/pg_ctl" -D "$place/data" -l "$place/data/log" -w start >/dev/null \
        -o "-p $direct -k '' -c fsync=off -c shared_buffers=256MB -c max_connections=200 -c max_wal_size=4GB"
    export PGPORT=$direct
    psql -qd postgres -c "CREATE DATABASE crm"
    "$program" demo --database "postgresql://postgres:bench@127.0.0.1:$direct/crm" --fill-only --scale "$scale" >&2
    "$tools/pgbench" -i -s 1 -q >/dev/null 2>&1
    # a representative's team holds the accounts, and somebody owns one customer in five hundred
    psql -q <<'SQL'
UPDATE pgbench_accounts SET bid = 14;
CREATE INDEX ON pgbench_accounts (bid);
GRANT SELECT ON pgbench_accounts TO rowgate;
INSERT INTO crm.teams VALUES (20, 7, 'Bench', 'Shanghai', '{CN}');
INSERT INTO crm.users VALUES (61, 'tiny', 'Tiny', '{sales_rep}', 20, 15, 'tiny@example.com', '2020-01-01', true);
UPDATE customers SET owner_id = 61, team_id = 20 WHERE id % 500 = 0;
UPDATE contracts SET owner_id = 61, team_id = 20 WHERE customer_id % 500 = 0;
UPDATE opportunities SET owner_id = 61, team_id = 20 WHERE customer_id % 500 = 0;
CREATE TABLE bench_rows (id int, owner_id int, name text, amount numeric, made_at timestamptz);
CREATE TABLE bench_touched (LIKE bench_rows);
CREATE FUNCTION bench_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON bench_touched FOR EACH ROW EXECUTE FUNCTION bench_touch();
GRANT SELECT, INSERT ON bench_rows, bench_touched TO rowgate;
CREATE ROLE tiny LOGIN PASSWORD 'tiny-demo';
CREATE ROLE bench_rls LOGIN PASSWORD 'bench';
GRANT USAGE ON SCHEMA public, crm TO bench_rls;
GRANT SELECT ON ALL TABLES IN SCHEMA public, crm TO bench_rls;
VACUUM ANALYZE;
SQL
    policies
    gate session
    gate transaction
    bouncer session
    bouncer transaction
}

# the shipped policies, and what they say of pgbench's table
policies() {
    cp -r policies "$place/policies"
    sed -i '/^concurrent_statements/d' "$place"/policies/roles/*.toml
    printf '\n[accounts]\nrelation = "public.pgbench_accounts"\nkey = "aid"\nteam = "bid"\n' >>"$place/policies/tables.toml"
    local table
    for table in bench_rows bench_touched; do
        printf '\n[%s]\nrelation = "public.%s"\nowner = "owner_id"\n' $table $table >>"$place/policies/tables.toml"
        printf '\n[%s]\nview = ["own"]\ninsert = ["own"]\n[%s.columns]\nowner_id = { transfer = [] }\n' $table $table \
            >>"$place/policies/roles/sales_rep.toml"
    done
    printf '\n[accounts]\nview = ["team"]\n[accounts.columns]\nfiller = { mask = "null" }\n' >>"$place/policies/roles/sales_rep.toml"
    printf '\n[accounts]\nview = ["team_tree"]\n' >>"$place/policies/roles/sales_manager.toml"
    printf '\n[accounts]\nview = ["all"]\n' >>"$place/policies/roles/executive.toml"
}

declare -A gate_port gate_pid

gate() { # MODE
    local mode=$1 port
    port=$(free_port)
    cat >"$place/$mode.toml" <<TOML
[listen]
port = $port
[upstream]
host = "127.0.0.1"
port = $direct
database = "crm"
user = "rowgate"
password = "rowgate-demo"
[policies]
directory = "$place/policies"
[login]
auth_query = "SELECT login, verifier FROM rowgate.verifier(\$1)"
[audit]
output = "off"
[pool]
mode = "$mode"
size = 50
[limits]
max_connections = 20000
TOML
    RUST_LOG=warn "$program" serve --config "$place/$mode.toml" >/dev/null 2>"$place/$mode.log" &
    gate_pid[$mode]=$!
    started+=("$!")
    until_open "$port"
    gate_port[$mode]=$port
}

declare -A bouncer_port bouncer_pid

bouncer_version() { "$bouncer" --version | sed -n 's/^PgBouncer //p'; }

# before 1.21 PgBouncer has no prepared statements in transaction mode
prepares() { printf '1.21\n%s\n' "$(bouncer_version)" | sort -CV; }

bouncer() { # MODE
    local mode=$1 port
    port=$(free_port)
    cat >"$place/bouncer/$mode.ini" <<INI
[databases]
crm = host=127.0.0.1 port=$direct dbname=crm
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $place/bouncer/users
pool_mode = $mode
default_pool_size = 50
max_client_conn = 20000
logfile = /dev/null
$(prepares && echo max_prepared_statements = 200)
INI
    echo '"postgres" "bench"' >"$place/bouncer/users"
    chmod 644 "$place/bouncer"/*
    # thousands of clients are as many files, and who changes user begins with few again
    unprivileged bash -c 'ulimit -Sn "$(ulimit -Hn)"; exec "$@"' - "$bouncer" -q "$place/bouncer/$mode.ini" >/dev/null 2>&1 &
    until_open "$port"
    bouncer_port[$mode]=$port
    # not runuser, which waits for it
    bouncer_pid[$mode]=$(pgrep -u "$([ "$(id -u)" = 0 ] && echo "$account" || id -un)" -f "$place/bouncer/$mode.ini" | tail -1)
    started+=("${bouncer_pid[$mode]}")
}

# processor time of a process in microseconds
cpu() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) * 1000000 / tick }' "/proc/$1/stat"; }

# median, least and greatest of the numbers on standard input
spread() { # FORMAT
    sort -g | awk -v f="$1" '{ v[NR] = $1 } END {
        if (!NR) { print "-"; exit }
        m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
        printf f " (" f "–" f ")\n", m, v[1], v[NR] }'
}
