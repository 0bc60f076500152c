import java.sql.*;
import java.util.*;

/** pgjdbc: metadata, server-prepared statements, fetch size, savepoints, cancel; in extended and in simple mode. */
public class JdbcClient {
    static String state(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute(sql);
            return "went through";
        } catch (SQLException e) {
            return e.getSQLState();
        }
    }

    static Object one(Connection c, String sql, Object... values) throws SQLException {
        try (PreparedStatement p = c.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) p.setObject(i + 1, values[i]);
            ResultSet r = p.executeQuery();
            r.next();
            return r.getObject(1);
        }
    }

    static int count(ResultSet r) throws SQLException {
        int n = 0;
        while (r.next()) n++;
        r.close();
        return n;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        for (String mode : new String[] {"extended", "simple"}) {
            try (Connection c = DriverManager.getConnection(url + "?preferQueryMode=" + mode, env.get("PGUSER"), env.get("PGPASSWORD"))) {
                System.out.println("mode " + mode);
                System.out.println("customers " + one(c, "SELECT count(*) FROM customers"));
                // 36 is alice: phones of others' customers are masked
                int others = 0, masked = 0;
                try (PreparedStatement p = c.prepareStatement("SELECT phone FROM customers WHERE owner_id <> ? AND name LIKE ?")) {
                    p.setInt(1, 36);
                    p.setString(2, "%");
                    ResultSet r = p.executeQuery();
                    for (; r.next(); others++) masked += r.getString(1).contains("*") ? 1 : 0;
                }
                System.out.println("masked " + (others > 0 && masked == others));
                System.out.println("quotes " + one(c, "SELECT ?::text", "it's a \\ 'quote'"));
                for (int i = 0; i < 7; i++) one(c, "SELECT count(*) FROM customers WHERE id > ?", i);
                System.out.println("prepared " + one(c, "SELECT count(*) FROM customers WHERE id > ?", 0));

                DatabaseMetaData m = c.getMetaData();
                System.out.println("tables " + (count(m.getTables(null, "public", "%", new String[] {"TABLE"})) > 4));
                System.out.println("columns " + (count(m.getColumns(null, "public", "customers", "%")) > 5));
                System.out.println("keys " + count(m.getPrimaryKeys(null, "public", "customers")) + " " + (count(m.getImportedKeys(null, "public", "contacts")) > 0));
                System.out.println("indexes " + (count(m.getIndexInfo(null, "public", "customers", false, true)) > 0));
                System.out.println("types " + (count(m.getTypeInfo()) > 20));
                try (Statement s = c.createStatement()) {
                    ResultSetMetaData r = s.executeQuery("SELECT id, name AS label FROM customers").getMetaData();
                    System.out.println("origin " + r.getColumnLabel(2) + " " + ((org.postgresql.PGResultSetMetaData) r).getBaseColumnName(2)
                        + " " + ((org.postgresql.PGResultSetMetaData) r).getBaseTableName(2) + " " + r.isNullable(1));
                }

                c.setAutoCommit(false);
                try (Statement s = c.createStatement()) {
                    s.setFetchSize(2);
                    System.out.println("streamed " + count(s.executeQuery("SELECT id FROM customers ORDER BY id")));
                }
                Savepoint savepoint = c.setSavepoint();
                System.out.println("hidden " + state(c, "SELECT credit_limit FROM customers"));
                c.rollback(savepoint);
                System.out.println("after savepoint " + one(c, "SELECT 1"));
                c.commit();
                c.setAutoCommit(true);
                System.out.println("export " + state(c, "COPY customers TO STDOUT"));
                String write = state(c, "DELETE FROM customers");
                System.out.println("write refused " + (write.equals("0A000") || write.equals("42501")));

                try (Statement s = c.createStatement()) {
                    new Timer(true).schedule(new TimerTask() {
                        public void run() { try { s.cancel(); } catch (SQLException e) { System.out.println(e); } }
                    }, 500);
                    s.executeQuery("SELECT count(*) FROM generate_series(1, 4000000000)");
                } catch (SQLException e) {
                    System.out.println("cancelled " + e.getSQLState());
                }
                System.out.println("usable " + one(c, "SELECT 1"));
            }
        }
    }
}
