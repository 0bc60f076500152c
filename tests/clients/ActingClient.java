import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/** What Metabase sends: connections of one pool, on each of which SET ROLE comes before the query; and Tableau's initial SQL. */
public class ActingClient {
    static Connection connect(String mode) throws SQLException {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE") + "?prepareThreshold=1&preferQueryMode=" + mode;
        return DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static String count(PreparedStatement statement) {
        try (ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getString(1);
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    public static void main(String[] arguments) throws SQLException {
        for (String mode : new String[] {"extended", "simple"}) {
            System.out.println("mode " + mode);
            try (Connection connection = connect(mode)) {
                run(connection, "SET ROLE alice;");
                try (PreparedStatement query = connection.prepareStatement("SELECT count(*) FROM customers")) {
                    for (String role : new String[] {"alice", "bob", "\"alice\"", "NONE", "bob"}) {
                        run(connection, "SET ROLE " + role + ";");
                        connection.setReadOnly(true);
                        connection.setAutoCommit(false);
                        System.out.println("metabase " + role + " " + count(query));
                        connection.rollback();
                        connection.setAutoCommit(true);
                    }
                }
            }
            try (Connection connection = connect(mode)) {
                run(connection, "SET SESSION AUTHORIZATION 'bob';");
                try (PreparedStatement query = connection.prepareStatement("SELECT count(*) FROM customers")) {
                    System.out.println("tableau bob " + count(query));
                }
            }
        }
    }
}
