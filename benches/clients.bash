# What many clients cost: system calls of one, memory of idle ones, the rate of logins. For script/bench.

# resident kilobytes of a process
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# system calls per query of one client that prepares its statement
system_calls() {
    local name port login password process
    echo
    echo "## System calls per query, prepared, 1 client"
    echo
    echo "| | system calls |"
    echo "| --- | --- |"
    while IFS='|' read -r name port login password process; do
        [ -n "$process" ] || continue
        [ "$name" != "PgBouncer, transaction" ] || continue
        PGPASSWORD=$password "$tools/pgbench" -n -h 127.0.0.1 -p "$port" -U "$login" -M prepared -f "$place/customer.sql" \
            -c 1 -T $((seconds + 4)) crm >/dev/null 2>&1 </dev/null &
        local load=$!
        sleep 2
        local reads
        timeout -s INT "$seconds" strace -f -c -o "$place/strace" -p "$process" >/dev/null 2>&1 </dev/null || true
        wait "$load"
        # a query is read twice: from the client, and its answer
        reads=$(awk '$NF == "recvfrom" || $NF == "read" { n += $4 } END { print n / 2 }' "$place/strace")
        echo "| $name | $(awk -v q="$reads" '$NF ~ /^(sendto|recvfrom|epoll_wait|read|write|writev|sendmsg|recvmsg|futex|epoll_pwait|epoll_ctl)$/ { n += $4 } END { if (q) printf "%.1f", n / q; else print "-" }' "$place/strace") |"
    done <"$place/endpoints"
}

# resident memory beside that of the process without clients, for clients that are logged in and quiet
idle_memory() {
    local name port login password process count before after load
    echo
    echo "## Memory of idle clients"
    echo
    echo "| | clients | kB each |"
    echo "| --- | --- | --- |"
    # pgbench counts microseconds in 32 bits: a longer sleep is none
    printf 'SELECT 1;\n\\sleep 2000 s\n' >"$place/idle.sql"
    # each client is a file here and in the process in between
    local most=$(($(ulimit -Hn) - 200))
    for count in 1000 10000; do
        [ "$count" -le "$most" ] || { echo "| ($count clients need more than $(ulimit -Hn) open files) | | |"; continue; }
        while IFS='|' read -r name port login password process; do
            case "$name" in "PgBouncer, transaction" | "rowgate, transaction, representative") ;; *) continue ;; esac
            before=$(resident "$process")
            (
                PGPASSWORD=$password exec "$tools/pgbench" -n -h 127.0.0.1 -p "$port" -U "$login" -f "$place/idle.sql" \
                    -c "$count" -j 1 -T 3600 crm >/dev/null 2>&1 </dev/null
            ) &
            load=$!
            # until all are there, or no more came for 20 seconds
            local there=0 since=0 now
            while [ "$there" -lt "$count" ] && [ "$since" -lt 40 ] && kill -0 "$load" 2>/dev/null; do
                sleep 0.5
                now=$(ss -Htn state established "sport = :$port" | wc -l)
                since=$((now > there ? 0 : since + 1))
                there=$now
            done
            sleep 3
            after=$(resident "$process")
            echo "| $name | $(ss -Htn state established "sport = :$port" | wc -l) | $(awk -v a="$after" -v b="$before" -v n="$count" 'BEGIN { printf "%.1f", (a - b) / n }') |"
            kill -KILL "$load" 2>/dev/null || true
            wait "$load" 2>/dev/null || true
        done <"$place/endpoints"
    done
}

# logins per second, each with one statement
logins() {
    local name port login password process out
    echo
    echo "## Logins"
    echo
    echo "| | logins per second | CPU per login, µs |"
    echo "| --- | --- | --- |"
    while IFS='|' read -r name port login password process; do
        case "$name" in direct | PgBouncer,* | rowgate,*,\ representative) ;; *) continue ;; esac
        local before=0 after=0
        [ -z "$process" ] || before=$(cpu "$process")
        out=$(PGPASSWORD=$password "$tools/pgbench" -n -C -h 127.0.0.1 -p "$port" -U "$login" -f "$place/customer.sql" \
            -c 8 -j 1 -T "$seconds" crm 2>&1 </dev/null) || true
        [ -z "$process" ] || after=$(cpu "$process")
        echo "$out" | awk -v name="$name" -v cpu="$((${after%.*} - ${before%.*}))" '
            /actually processed/ { split($NF, p, "/"); n = p[1] }
            /^tps/ { tps = $3 }
            END { if (n) printf "| %s | %.0f | %.0f |\n", name, tps, cpu / n }'
    done <"$place/endpoints"
}

clients() {
    endpoints >"$place/endpoints"
    printf '\\set id random(1, 2000)\nSELECT id, name, phone, level FROM customers WHERE id = :id;\n' >"$place/customer.sql"
    system_calls
    logins
    idle_memory
}
