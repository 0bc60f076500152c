# What a checked write costs beside the same statement with its check written by hand, and COPY FROM beside plain COPY.
# For script/bench.

# a manager, whom teams 7, 14, 15 and 20 and their people are below
writer=bob

# name, the client's words, the same with the policy written into it: VISIBLE is the condition on a customer, ROWS that on
# an opportunity to be read, EDIT to be written
writes_list() {
    local columns="id, customer_id, owner_id, team_id, title, stage, amount, probability, expected_on, created_at, updated_at"
    local values="900001, 1000, 10, 7, 't', 'lead'::deal_stage, 5.0, 10, '2026-01-01'::date, now(), now()"
    local others="o.id + 1000000, o.customer_id, 10, 7, o.title, o.stage, o.amount, o.probability, o.expected_on, o.created_at, o.updated_at"
    local from="FROM opportunities AS o JOIN customers AS c ON c.id = o.customer_id WHERE o.id % 40 = 0"
    local conflict="1500, 1000, 10, 7, 't', 'lead'::deal_stage, 5.0, 10, '2026-01-01'::date, now(), now()"
    cat <<Q
UPDATE by key;UPDATE opportunities AS o SET title = 'x' WHERE o.id = 1500;UPDATE opportunities AS o SET title = 'x' WHERE o.id = 1500 AND (EDIT)
UPDATE of 1,000 rows;UPDATE opportunities AS o SET title = 'x' WHERE o.id % 40 = 0;UPDATE opportunities AS o SET title = 'x' WHERE o.id % 40 = 0 AND (EDIT)
INSERT of one row;INSERT INTO opportunities ($columns) VALUES ($values);INSERT INTO opportunities ($columns) SELECT v.* FROM (VALUES ($values)) AS v ($columns) WHERE v.team_id IN (7, 14, 15, 20) AND EXISTS (SELECT FROM customers c WHERE c.id = v.customer_id AND (VISIBLE))
INSERT of 1,000 rows;INSERT INTO opportunities ($columns) SELECT $others $from;INSERT INTO opportunities ($columns) SELECT $others $from AND (ROWS) AND (VISIBLE)
ON CONFLICT DO UPDATE;INSERT INTO opportunities AS o ($columns) VALUES ($conflict) ON CONFLICT (id) DO UPDATE SET title = excluded.title;INSERT INTO opportunities AS o ($columns) SELECT v.* FROM (VALUES ($conflict)) AS v ($columns) WHERE v.team_id IN (7, 14, 15, 20) AND EXISTS (SELECT FROM customers c WHERE c.id = v.customer_id AND (VISIBLE)) ON CONFLICT (id) DO UPDATE SET title = excluded.title WHERE EDIT
DELETE by key;DELETE FROM opportunities AS o WHERE o.id = 1501;DELETE FROM opportunities AS o WHERE o.id = 1501 AND o.owner_id = 10
MERGE of one row;MERGE INTO opportunities AS o USING (VALUES (1500)) AS s (n) ON o.id = s.n WHEN MATCHED THEN UPDATE SET title = 'x';MERGE INTO opportunities AS o USING (VALUES (1500)) AS s (n) ON o.id = s.n AND (EDIT) WHEN MATCHED THEN UPDATE SET title = 'x'
Q
}

# the average latency in ms of the second statement of a file, with the others of its transaction left out
second() { # USER PORT FILE
    set +o pipefail # a statement that fails shows as a gap
    PGPASSWORD=$([ "$1" = postgres ] && echo bench || echo "$1-demo") "$tools/pgbench" -n -r -M simple -c 1 -T "$seconds" \
        -U "$1" -p "$2" -f "$3" "$PGDATABASE" 2>>"$place/errors" | awk '/UPDATE|INSERT|DELETE|MERGE/ { print $1 }' | head -1
}

writes() {
    local number=0 name client hand rows visible edit kind i round
    rows=$(by_hand $writer opportunities o)
    visible=$(by_hand $writer customers c)
    # what a manager may edit of opportunities are the rows that they see of contracts
    edit=$(by_hand $writer contracts o)
    psql -qc 'DELETE FROM contracts WHERE opportunity_id = 1501' -c 'UPDATE opportunities SET owner_id = 10, team_id = 7 WHERE id IN (1500, 1501)'
    while IFS=';' read -r name client hand; do
        number=$((number + 1))
        hand=${hand//ROWS/$rows}
        hand=${hand//EDIT/$edit}
        echo "$name" >"$place/w.$number.name"
        printf 'BEGIN;\n%s;\nROLLBACK;\n' "${hand//VISIBLE/$visible}" >"$place/w.$number.hand"
        printf 'BEGIN;\n%s;\nROLLBACK;\n' "$client" >"$place/w.$number.gate"
        printf 'BEGIN;\n%s;\nROLLBACK;\n' "$(rewritten $writer "$client" | tr '\n' ' ')" >"$place/w.$number.sent"
    done < <(writes_list)
    rm -f "$place"/w.l.*
    for ((round = 0; round < rounds; round++)); do
        for ((i = 1; i <= number; i++)); do
            for kind in $(shuf -e hand sent gate); do
                if [ "$kind" = gate ]; then
                    second $writer "${gate_port[session]}" "$place/w.$i.gate" >>"$place/w.l.$i.gate"
                else
                    second postgres "$direct" "$place/w.$i.$kind" >>"$place/w.l.$i.$kind"
                fi
            done
        done
    done
    echo
    echo "## Writes ($(psql -Atc 'SELECT count(*) FROM opportunities') opportunities, a manager)"
    echo
    echo "Average latency of one statement in ms, 1 client, simple protocol, the least of the rounds: with its check written by" \
        "hand and sent straight to the server; what rowgate sends, sent straight to the server; and the client's own words" \
        "through rowgate."
    echo
    echo "| | by hand | what is sent | / by hand | through rowgate | / by hand |"
    echo "| --- | --- | --- | --- | --- | --- |"
    for ((i = 1; i <= number; i++)); do
        least() { sort -g "$place/w.l.$i.$1" | head -1; }
        ratio() { awk -v a="$(least "$1")" -v h="$(least hand)" 'BEGIN { if (h > 0) printf "%.2f", a / h; else printf "-" }'; }
        echo "| $(cat "$place/w.$i.name") | $(least hand) | $(least sent) | $(ratio sent) | $(least gate) | $(ratio gate) |"
    done
    copy_in
}

# seconds, and processor time of rowgate and of the server in ms, of a COPY of a million rows
copy_once() { # USER PORT TABLE
    local server rowgate from to
    psql -qc "TRUNCATE $3"
    server=$(server_cpu) rowgate=$(cpu "${gate_pid[session]}") from=$(date +%s%N)
    PGPASSWORD=$([ "$1" = postgres ] && echo bench || echo "$1-demo") psql -qX -U "$1" -p "$2" \
        -c "\\copy $3 (id, owner_id, name, amount, made_at) FROM '$place/rows'" >&2
    to=$(date +%s%N)
    awk -v t=$((to - from)) -v r="$rowgate" -v r2="$(cpu "${gate_pid[session]}")" -v s="$server" -v s2="$(server_cpu)" \
        'BEGIN { print t / 1e9, (r2 - r) / 1000, (s2 - s) / 1000 }'
}

# of the postmaster, of what it has waited for, and of what still runs
server_cpu() {
    local main pid
    main=$(head -1 "$place/data/postmaster.pid")
    sleep 0.3
    for pid in "$main" $(pgrep -P "$main"); do
        awk -v main="$main" -v pid="$pid" '{ sub(/^.*\) /, ""); print $12 + $13 + (pid == main ? $14 + $15 : 0) }' "/proc/$pid/stat" 2>/dev/null
    done | awk -v tick="$(getconf CLK_TCK)" '{ s += $1 } END { print s * 1000000 / tick }'
}

memory() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/${gate_pid[session]}/status"; }

copy_in() {
    local who kind round low
    psql -Atc "COPY (SELECT g, 61, 'name ' || g, g / 100.0, '2025-01-01' FROM generate_series(1, 1000000) g) TO STDOUT" >"$place/rows"
    low=$(memory)
    rm -f "$place"/c.l.*
    for ((round = 0; round < rounds; round++)); do
        copy_once postgres "$direct" bench_rows >>"$place/c.l.direct"
        copy_once tiny "${gate_port[session]}" bench_rows >>"$place/c.l.where"
        copy_once tiny "${gate_port[session]}" bench_touched >>"$place/c.l.staged"
    done
    echo
    echo "## COPY FROM of 1,000,000 rows ($(du -m "$place/rows" | cut -f1) MB)"
    echo
    echo "rowgate's memory was $low MB before and $(memory) MB behind."
    echo
    echo "| | s | / plain | CPU of the server, s | / plain | CPU of rowgate, s |"
    echo "| --- | --- | --- | --- | --- | --- |"
    for who in "direct;plain COPY" "where;held to the insert scope" "staged;the same, by way of a temporary table"; do
        kind=${who%%;*}
        column() { cut -d' ' -f"$2" "$place/c.l.$1"; }
        base() { column direct "$1" | spread %.3f | cut -d' ' -f1; }
        over() { column "$kind" "$1" | awk -v b="$(base "$1")" '{ print $1 / (b > 0 ? b : 1) }' | spread %.2f; }
        echo "| ${who#*;} | $(column "$kind" 1 | spread %.2f) | $(over 1) |" \
            "$(column "$kind" 3 | awk '{ print $1 / 1000 }' | spread %.2f) | $(over 3) |" \
            "$(column "$kind" 2 | awk '{ print $1 / 1000 }' | spread %.2f) |"
    done
}
