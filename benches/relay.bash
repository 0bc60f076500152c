# What a statement and a large result cost the process in between. For script/bench.

# name, port, login, password, process
endpoints() {
    echo "direct|$direct|postgres|bench|"
    local mode
    for mode in session transaction; do
        echo "PgBouncer, $mode|${bouncer_port[$mode]}|postgres|bench|${bouncer_pid[$mode]}"
    done
    for mode in session transaction; do
        echo "rowgate, $mode, executive|${gate_port[$mode]}|grace|grace-demo|${gate_pid[$mode]}"
        echo "rowgate, $mode, representative|${gate_port[$mode]}|alice|alice-demo|${gate_pid[$mode]}"
        echo "rowgate, $mode, manager|${gate_port[$mode]}|bob|bob-demo|${gate_pid[$mode]}"
    done
}

# one run: transactions per second, processor time per transaction in µs, and of the latencies of a tenth of them the
# median, the 95th and the 99th percentile in ms
run() { # PORT LOGIN PASSWORD PROCESS MODE FILE CLIENTS SECONDS
    local before=0 after=0 out log=$place/latency
    rm -f "$log".*
    [ -z "$4" ] || before=$(cpu "$4")
    out=$(PGPASSWORD=$3 "$tools/pgbench" -n -h 127.0.0.1 -p "$1" -U "$2" -M "$5" -f "$6" -c "$7" -j 1 -T "$8" \
        -l --sampling-rate=0.1 --log-prefix="$log" crm 2>&1) || { echo "$out" >&2; return; }
    [ -z "$4" ] || after=$(cpu "$4")
    {
        echo "$out"
        cat "$log".* | cut -d' ' -f3 | sort -n | awk '{ v[NR] = $1 / 1000 } END {
            if (NR) print "percentiles", v[int((NR + 1) * .5)], v[int((NR - 1) * .95) + 1], v[int((NR - 1) * .99) + 1] }'
    } | awk -v cpu="$((${after%.*} - ${before%.*}))" '
        /actually processed/ { split($NF, p, "/"); n = p[1] }
        /^tps/ { tps = $3 }
        /^percentiles/ { rest = $2 " " $3 " " $4 }
        END { if (n) printf "%.1f %.2f %s\n", tps, cpu / n, rest }'
}

relay() {
    local round mode endpoint name port login password process base speed list
    endpoints >"$place/endpoints"
    printf '\\set aid random(1, 100000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n' >"$place/account.sql"
    printf '\\set id random(1, 2000)\nSELECT id, name, phone, level FROM customers WHERE id = :id;\n' >"$place/customer.sql"
    for text in account customer; do
        for mode in simple extended prepared; do
            for ((round = 0; round < rounds; round++)); do
                shuf "$place/endpoints" >"$place/order"
                while IFS='|' read -r name port login password process; do
                    [ "$mode|$name" != "prepared|PgBouncer, transaction" ] || prepares || continue
                    run "$port" "$login" "$password" "$process" "$mode" "$place/$text.sql" "$clients" "$seconds" \
                        >>"$place/run.$text.$mode.${name// /}" </dev/null
                done <"$place/order"
            done
            base=transaction
            [ "$mode" != prepared ] || prepares || base=session
            echo
            echo "## $([ $text = account ] && echo 'pgbench -S' || echo 'Customer by key'), $mode, $clients clients"
            echo
            echo "| | CPU per query, µs | / PgBouncer, $base | queries per second / its | latency, ms: median | 95 % | 99 % |"
            echo "| --- | --- | --- | --- | --- | --- | --- |"
            list="$place/run.$text.$mode.PgBouncer,$base"
            base=$(cut -d' ' -f2 "$list" | spread %.1f | cut -d' ' -f1)
            speed=$(cut -d' ' -f1 "$list" | spread %.0f | cut -d' ' -f1)
            while IFS='|' read -r name _; do
                list="$place/run.$text.$mode.${name// /}"
                [ -s "$list" ] || continue
                echo "| $name | $(cut -d' ' -f2 "$list" | spread %.1f) |" \
                    "$(cut -d' ' -f2 "$list" | awk -v b="$base" '{ print $1 / b }' | spread %.2f) |" \
                    "$(cut -d' ' -f1 "$list" | awk -v s="$speed" '{ print $1 / s }' | spread %.2f) |" \
                    "$(cut -d' ' -f3 "$list" | spread %.2f) | $(cut -d' ' -f4 "$list" | spread %.2f) |" \
                    "$(cut -d' ' -f5 "$list" | spread %.2f) |"
            done <"$place/endpoints"
        done
    done
}

# 50 MB in rows of about 500 bytes
stream() {
    local round name port login password process base list
    endpoints >"$place/endpoints"
    echo "SELECT g, repeat('x', 500) FROM generate_series(1, 100000) AS g;" >"$place/stream.sql"
    for ((round = 0; round < rounds; round++)); do
        shuf "$place/endpoints" >"$place/order"
        while IFS='|' read -r name port login password process; do
            run "$port" "$login" "$password" "$process" simple "$place/stream.sql" 1 "$seconds" \
                >>"$place/stream.${name// /}" </dev/null
        done <"$place/order"
    done
    echo
    echo "## 50 MB result"
    echo
    echo "| | CPU, ms | / PgBouncer | MB/s | / direct |"
    echo "| --- | --- | --- | --- | --- |"
    base=$(cut -d' ' -f2 "$place/stream.PgBouncer,session" | spread %.1f | cut -d' ' -f1)
    straight=$(cut -d' ' -f1 "$place/stream.direct" | spread %.3f | cut -d' ' -f1)
    while IFS='|' read -r name _; do
        list="$place/stream.${name// /}"
        echo "| $name | $(cut -d' ' -f2 "$list" | awk '{ print $1 / 1000 }' | spread %.1f) |" \
            "$(cut -d' ' -f2 "$list" | awk -v b="$base" '{ print $1 / b }' | spread %.2f) |" \
            "$(cut -d' ' -f1 "$list" | awk '{ print $1 * 51.4 }' | spread %.0f) |" \
            "$(cut -d' ' -f1 "$list" | awk -v d="$straight" '{ print $1 / d }' | spread %.2f) |"
    done <"$place/endpoints"
}

judging() {
    echo
    echo "## Judging"
    echo
    echo '```'
    if command -v cargo >/dev/null; then
        cargo bench --locked --quiet --bench judge -- 127.0.0.1 "$direct" postgres bench crm
    fi
    echo '```'
}
