# What the text that rowgate sends costs PostgreSQL, beside a filter written by hand, row-level security and
# security_barrier views. For script/bench.

# representatives, a manager, two service agents with a condition of the DBA's, an executive
people=(tiny small eight quarter kiosk desk grace)

# who sees how much: 2, 8 and 26 in a hundred customers, by owner and team or by country
shares() {
    psql -q <<'SQL'
INSERT INTO crm.teams VALUES (21, 9, 'Small', 'London', '{GB}'), (22, 9, 'Eight', 'London', '{GB}'),
    (23, 9, 'Quarter', 'London', '{GB}'), (24, 23, 'Quarter, below', 'London', '{GB}'),
    (25, 11, 'Kiosk', 'London', '{XB}'), (26, 11, 'Desk', 'London', '{XQ}');
INSERT INTO crm.users (user_id, login, full_name, roles, team_id, manager_id, email, hired_on)
SELECT user_id, login, login, roles::crm.role[], team_id, manager_id, login || '@example.com', '2020-01-01'
FROM (VALUES (62, 'small', '{sales_rep}', 21, 12), (63, 'eight', '{sales_rep}', 22, 12),
             (64, 'quarter', '{sales_manager}', 23, 12), (65, 'below', '{sales_rep}', 24, 64),
             (66, 'kiosk', '{service_agent}', 25, 22), (67, 'desk', '{service_agent}', 26, 22))
    AS person (user_id, login, roles, team_id, manager_id);
UPDATE customers SET owner_id = 62, team_id = 21 WHERE id % 50 = 1;
UPDATE customers SET owner_id = 63, team_id = 22 WHERE id % 25 IN (2, 3);
UPDATE customers SET owner_id = 65, team_id = 24 WHERE id % 50 BETWEEN 4 AND 15 OR id % 500 IN (17, 18);
UPDATE customers SET country = CASE WHEN id % 50 < 13 THEN 'XQ' ELSE 'XB' END WHERE id % 50 <= 13;
UPDATE contracts AS t SET owner_id = c.owner_id, team_id = c.team_id FROM customers AS c WHERE c.id = t.customer_id AND c.owner_id > 61;
UPDATE opportunities AS o SET owner_id = c.owner_id, team_id = c.team_id FROM customers AS c WHERE c.id = o.customer_id AND c.owner_id > 61;
VACUUM ANALYZE;
SQL
}

# which rows a person sees, as an administrator would write it; no masks
by_hand() { # LOGIN TABLE ALIAS
    local row=$3 own member managed
    case $1 in
        tiny) own="$row.owner_id = 61"; member="m.user_id = 61 OR m.team_id = 20" ;;
        bob) own="$row.team_id IN (7, 14, 15, 20) OR $row.owner_id IN (10, 15, 16, 36, 37, 38, 39, 40, 41, 42, 43, 61)"
             member="m.user_id = 10 OR m.team_id = 7" ;;
        small) own="$row.owner_id = 62"; member="m.user_id = 62 OR m.team_id = 21" ;;
        eight) own="$row.owner_id = 63"; member="m.user_id = 63 OR m.team_id = 22" ;;
        quarter) own="$row.team_id IN (23, 24) OR $row.owner_id IN (64, 65)"; member="m.user_id = 64 OR m.team_id = 23" ;;
        kiosk | desk)
            own="$row.country = '$([ "$1" = desk ] && echo XQ || echo XB)'"
            case $2 in
                customers) echo "$own" ;;
                opportunities) echo FALSE ;;
                *) echo "EXISTS (SELECT FROM public.customers p WHERE p.id = $row.customer_id AND $(by_hand "$1" customers p))" ;;
            esac
            return ;;
        grace) echo TRUE; return ;;
    esac
    managed=
    case $1 in bob | quarter) managed=" OR $row.owner_id IS NULL" ;; esac
    case $2 in
        customers) echo "$own$managed OR EXISTS (SELECT FROM public.customer_members m WHERE m.customer_id = $row.id AND ($member))" ;;
        contracts) echo "$own" ;;
        opportunities)
            if [ -z "$managed" ]; then
                echo "$own OR EXISTS (SELECT FROM public.customers p WHERE p.id = $row.customer_id AND ${own//$row./p.})"
            else
                echo "$own OR EXISTS (SELECT FROM public.customers p WHERE p.id = $row.customer_id AND ($(by_hand "$1" customers p)))"
            fi ;;
        contacts) echo "EXISTS (SELECT FROM public.customers p WHERE p.id = $row.customer_id AND ($(by_hand "$1" customers p)))" ;;
    esac
}

# name, tables with aliases, text before the filter, text behind it; an agent has no opportunities, and the month of a date
questions() { # LOGIN
    local left_out='^$'
    case $1 in kiosk | desk) left_out='^(top 50 by date|three-join)' ;; esac
    grep -Ev "$left_out" <<'Q'
customer by key;customers c;SELECT c.id, c.name, c.city FROM customers c WHERE c.id = 1500;
contact by key;contacts k;SELECT k.id, k.name FROM contacts k WHERE k.id = 4500;
contract by number;contracts t;SELECT t.id, t.number, t.status FROM contracts t WHERE t.id = 1500;
top 50 by date;contracts t;SELECT t.id, t.number, t.signed_on FROM contracts t WHERE t.signed_on IS NOT NULL;ORDER BY t.signed_on DESC LIMIT 50
top 50 by number;contracts t;SELECT t.id, t.number FROM contracts t WHERE t.id > 0;ORDER BY t.number DESC LIMIT 50
top 50 customers;customers c;SELECT c.id, c.name FROM customers c WHERE c.id > 0;ORDER BY c.name LIMIT 50
top 50 contacts;contacts k;SELECT k.id, k.name FROM contacts k WHERE k.id > 0;ORDER BY k.id DESC LIMIT 50
join by key;customers c,contacts k;SELECT c.id, c.name, k.name FROM customers c JOIN contacts k ON k.customer_id = c.id WHERE c.id = 1500;
three-join aggregate;customers c,opportunities o,contracts t;SELECT c.country, count(*), sum(t.paid), max(o.expected_on) FROM customers c JOIN opportunities o ON o.customer_id = c.id JOIN contracts t ON t.customer_id = c.id WHERE c.country <> 'XX';GROUP BY c.country
LIKE on a plain column;customers c;SELECT count(*) FROM customers c WHERE c.city LIKE 'S%' AND c.name LIKE '%an%';
Q
}

# what a text takes straight on the server, in ms: of a second's executions the lower quartile, which other work on the
# machine disturbs least
latency() { # LOGIN FILE
    rm -f "$place"/latency.*
    PGPASSWORD=bench "$tools/pgbench" -n -U "$1" -M simple -f "$2" -c 1 -T 1 -l --log-prefix="$place/latency" \
        "$PGDATABASE" >/dev/null 2>&1
    cut -d' ' -f3 "$place"/latency.* | sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.3f\n", v[int((NR + 3) / 4)] / 1000 }'
}

planning() { # FILE
    { echo -n "EXPLAIN (SUMMARY ON) "; cat "$1"; } >"$1.explain"
    for _ in 1 2 3 4 5; do psql -qAtf "$1.explain"; done | sed -n 's/^Planning Time: \([0-9.]*\) ms/\1/p' | sort -g | head -1
}

rewritten() { # LOGIN SQL
    "$program" explain --config "$place/session.toml" --as "$1" "$2" | sed -n '/^sent to the database/,$p' | sed '1d; s/^  //'
}

native() { # LOGIN: row-level security and security_barrier views for this person
    local table
    for table in customers contacts contracts opportunities; do
        cat <<SQL
DROP POLICY IF EXISTS bench ON public.$table;
CREATE POLICY bench ON public.$table FOR SELECT TO bench_rls USING ($(by_hand "$1" $table $table));
DROP POLICY IF EXISTS everybody ON public.$table;
CREATE POLICY everybody ON public.$table FOR SELECT TO rowgate USING (TRUE);
ALTER TABLE public.$table ENABLE ROW LEVEL SECURITY;
CREATE SCHEMA IF NOT EXISTS bench;
CREATE OR REPLACE VIEW bench.$table WITH (security_barrier) AS SELECT * FROM public.$table r WHERE $(by_hand "$1" $table r);
SQL
    done | psql -q 2>/dev/null
}

without_row_security() {
    local table
    for table in customers contacts contracts opportunities; do
        psql -qc "ALTER TABLE public.$table DISABLE ROW LEVEL SECURITY"
    done
}

sql_cost() {
    local login round name tables head tail kind number where table share
    shares
    echo
    echo "## Cost of the text that is sent ($(psql -Atc 'SELECT count(*) FROM customers') customers)"
    echo
    echo "Time of one execution straight on the server, planning included, in ms; in the columns behind, times that" \
        "of the filter written by hand, and the planning of the text that rowgate sends."
    for login in "${people[@]}"; do
        psql -q -c 'DROP SCHEMA IF EXISTS bench CASCADE' 2>/dev/null
        # statistics of tables with row-level security are nobody's but their owner's
        without_row_security
        number=0
        while IFS=';' read -r name tables head tail; do
            number=$((number + 1))
            where=
            for table in ${tables//,/ }; do
                case $table in
                    customers | contacts | contracts | opportunities) kind=$table ;;
                    *) where+=" AND ($(by_hand "$login" "$kind" "$table"))" ;;
                esac
            done
            echo "$head$where $tail" >"$place/q.$number.hand"
            rewritten "$login" "$head $tail" >"$place/q.$number.rowgate"
            echo "$head $tail" >"$place/q.$number.rls"
            echo "$head $tail" | sed -E 's/(FROM|JOIN) (customers|contacts|contracts|opportunities) /\1 bench.\2 /g' >"$place/q.$number.barrier"
            echo "$name" >"$place/q.$number.name"
        done < <(questions "$login")
        native "$login"
        rm -f "$place"/l.*
        for ((round = 0; round < rounds; round++)); do
            for kind in $(shuf -e hand rowgate rls barrier); do
                for ((i = 1; i <= number; i++)); do
                    latency "$([ $kind = rls ] && echo bench_rls || echo postgres)" "$place/q.$i.$kind" >>"$place/l.$i.$kind"
                done
            done
        done
        share=$(psql -Atc "SELECT round(100.0 * count(*) FILTER (WHERE $(by_hand "$login" customers c)) / count(*), 1) FROM customers c")
        echo
        echo "### $login, who sees $share % of the customers"
        echo
        echo "| | by hand | rowgate | / by hand | row-level security | security_barrier | planning, ms |"
        echo "| --- | --- | --- | --- | --- | --- | --- |"
        for ((i = 1; i <= number; i++)); do
            hand=$(spread %.2f <"$place/l.$i.hand" | cut -d' ' -f1)
            over() { awk -v h="$hand" '{ print $1 / (h > 0 ? h : 0.01) }' "$place/l.$i.$1" | spread %.2f; }
            echo "| $(cat "$place/q.$i.name") | $(spread %.2f <"$place/l.$i.hand") | $(spread %.2f <"$place/l.$i.rowgate") |" \
                "$(over rowgate) | $(over rls) | $(over barrier) | $(planning "$place/q.$i.rowgate") / $(planning "$place/q.$i.hand") |"
        done
    done
    psql -q -c 'DROP SCHEMA IF EXISTS bench CASCADE' 2>/dev/null
    without_row_security
}
