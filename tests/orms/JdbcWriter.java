import java.sql.*;
import java.util.*;

/** pgjdbc: batches, generated keys, rows written back through an updatable result set, savepoints. */
public class JdbcWriter {
    static String state(SQLException e) {
        for (SQLException at = e; at != null; at = at.getNextException()) if (at.getSQLState() != null) return at.getSQLState();
        return "none";
    }

    static Object one(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getObject(1);
        }
    }

    static String run(Connection c, String sql) {
        try (Statement s = c.createStatement()) {
            return "" + s.executeUpdate(sql);
        } catch (SQLException e) {
            return state(e);
        }
    }

    static void all(Connection c, int turn) throws SQLException {
        int mine = (Integer) one(c, "SELECT min(id) FROM customers WHERE owner_id = 36");
        int born = (Integer) one(c, "SELECT min(id) FROM contacts WHERE customer_id = " + mine + " AND birthday IS NOT NULL");
        String insert = "INSERT INTO contacts (customer_id, name, phone, birthday, is_primary, created_at) VALUES (?, ?, ?, ?, ?, ?)";
        int made = 0;
        try (PreparedStatement p = c.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 20; i++) {
                p.setInt(1, mine);
                p.setString(2, "Batch " + turn + "/" + i);
                p.setString(3, "+49 30 " + i);
                p.setNull(4, Types.DATE);
                p.setBoolean(5, false);
                p.setTimestamp(6, new Timestamp(0));
                p.addBatch();
            }
            p.executeBatch();
            ResultSet keys = p.getGeneratedKeys();
            while (keys.next()) made += keys.getInt("id") > 0 && keys.getString("birthday") == null ? 1 : 0;
        }
        System.out.println("batch " + made);
        try (PreparedStatement p = c.prepareStatement("UPDATE contacts SET title = ? WHERE name = ? AND customer_id = ?")) {
            for (int i = 0; i < 20; i++) {
                p.setString(1, "T" + i);
                p.setString(2, "Batch " + turn + "/" + i);
                p.setInt(3, mine);
                p.addBatch();
            }
            System.out.println("changed " + Arrays.stream(p.executeBatch()).sum());
        }

        // a grid: what was read is written back
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
             ResultSet r = s.executeQuery("SELECT id, name, title, phone, email, birthday FROM contacts WHERE id = " + born)) {
            r.next();
            java.sql.Date birthday = r.getDate("birthday");
            System.out.println("masked " + birthday.toString().substring(5));
            r.updateString("title", "Grid");
            r.updateString("phone", r.getString("phone"));
            r.updateDate("birthday", birthday);
            r.updateRow();
            System.out.println("grid " + r.getString("title") + " " + birthday.equals(r.getDate("birthday")));
            r.updateDate("birthday", java.sql.Date.valueOf("1980-05-05"));
            try {
                r.updateRow();
                System.out.println("mask changed");
            } catch (SQLException e) {
                System.out.println("mask changed " + state(e));
            }
        }
        String lock = "UPDATE customers SET city = ? WHERE id = ? AND name = ? AND phone IS NOT DISTINCT FROM ? AND email IS NOT DISTINCT FROM ? AND tax_id IS NOT DISTINCT FROM ?";
        int[] locked = new int[2];
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT name, phone, email, tax_id FROM customers WHERE id = " + mine)) {
            r.next();
            for (int i = 0; i < 2; i++) {
                try (PreparedStatement p = c.prepareStatement(lock)) {
                    p.setString(1, "Bonn");
                    p.setInt(2, mine);
                    p.setString(3, r.getString(1) + (i == 0 ? "" : "x"));
                    for (int n = 2; n <= 4; n++) p.setString(n + 2, r.getString(n));
                    locked[i] = p.executeUpdate();
                }
            }
        }
        System.out.println("optimistic " + locked[0] + " " + locked[1]);

        c.setAutoCommit(false);
        run(c, "UPDATE contacts SET title = 'kept' WHERE name = 'Batch " + turn + "/0'");
        Savepoint savepoint = c.setSavepoint();
        System.out.println("given away " + run(c, "UPDATE customers SET owner_id = 1 WHERE id = " + mine));
        c.rollback(savepoint);
        run(c, "UPDATE contacts SET title = title || '!' WHERE name = 'Batch " + turn + "/0'");
        c.commit();
        c.setAutoCommit(true);
        System.out.println("committed " + one(c, "SELECT title FROM contacts WHERE name = 'Batch " + turn + "/0' ORDER BY id DESC LIMIT 1"));
        System.out.println("others " + run(c, "UPDATE customers SET city = 'Nowhere' WHERE owner_id <> 36"));
        System.out.println("delete " + run(c, "DELETE FROM contacts WHERE name = 'Batch " + turn + "/1'"));
        try (PreparedStatement p = c.prepareStatement("INSERT INTO activities (customer_id, owner_id, summary, happened_at) VALUES (?, ?, 'foreign " + turn + "', now())")) {
            for (int owner : new int[] {36, 36, 37}) {
                p.setInt(1, mine);
                p.setInt(2, owner);
                p.addBatch();
            }
            p.executeBatch();
            System.out.println("foreign batch");
        } catch (SQLException e) {
            System.out.println("foreign batch " + state(e) + " " + one(c, "SELECT count(*) FROM activities WHERE summary = 'foreign " + turn + "'"));
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        int turn = 0;
        for (String mode : new String[] {"preferQueryMode=extended", "reWriteBatchedInserts=true", "preferQueryMode=simple"}) {
            System.out.println("mode " + mode);
            try (Connection c = DriverManager.getConnection(url + "?" + mode, "alice", "alice-demo")) {
                all(c, turn++);
            }
            try (Connection c = DriverManager.getConnection(url + "?" + mode, "yun", "yun-demo")) {
                run(c, "INSERT INTO opportunities (customer_id, owner_id, team_id, title, amount, probability, expected_on, created_at, updated_at)"
                    + " SELECT min(id), 15, 14, 'Deal', 12.5, 10, DATE '2026-01-01', now(), now() FROM customers WHERE owner_id = 36");
                System.out.println("deleted " + run(c, "DELETE FROM opportunities WHERE title = 'Deal'"));
            }
        }
    }
}
