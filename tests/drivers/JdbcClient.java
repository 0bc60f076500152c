// pgjdbc: prints what it gets; the test compares a straight connection with one through rowgate.
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import org.postgresql.PGResultSetMetaData;

public class JdbcClient {
    static void list(ResultSet rows, String column) throws SQLException {
        StringBuilder line = new StringBuilder();
        while (rows.next()) {
            line.append(rows.getString(column)).append(' ');
        }
        System.out.println(line);
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            DatabaseMetaData about = connection.getMetaData();
            System.out.println(about.getDatabaseProductVersion());
            list(about.getTables(null, "public", "c%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME");
            list(about.getColumns(null, "public", "customers", "%"), "COLUMN_NAME");
            list(about.getPrimaryKeys(null, "public", "customers"), "COLUMN_NAME");
            list(about.getImportedKeys(null, "public", "contacts"), "FKCOLUMN_NAME");
            list(about.getIndexInfo(null, "public", "customers", false, false), "INDEX_NAME");
            list(about.getTypeInfo(), "TYPE_NAME");
            String text = "select id, name, created_at, tags, credit_limit from customers where id > ? order by id limit 3";
            try (PreparedStatement statement = connection.prepareStatement(text)) {
                // often enough to be prepared on the server, and to change to binary
                for (int turn = 0; turn < 9; turn++) {
                    statement.setInt(1, turn);
                    ResultSet rows = statement.executeQuery();
                    while (rows.next()) {
                        System.out.println(rows.getInt(1) + " " + rows.getString(2) + " " + rows.getTimestamp(3) + " "
                                + rows.getArray(4) + " " + rows.getBigDecimal(5));
                    }
                }
                PGResultSetMetaData columns = (PGResultSetMetaData) statement.executeQuery().getMetaData();
                System.out.println(columns.getBaseSchemaName(2) + "." + columns.getBaseTableName(2) + "." + columns.getBaseColumnName(2));
            }
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(7);
                list(statement.executeQuery("select id from customers order by id"), "id");
            }
            Savepoint savepoint = connection.setSavepoint("here");
            try (Statement statement = connection.createStatement()) {
                statement.executeQuery("select * from nope");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            connection.rollback(savepoint);
            connection.commit();
            connection.setAutoCommit(true);
            try (Statement statement = connection.createStatement()) {
                boolean rows = statement.execute("select 1 as a; select 2 as a");
                while (rows) {
                    list(statement.getResultSet(), "a");
                    rows = statement.getMoreResults();
                }
                statement.setQueryTimeout(1);
                statement.executeQuery("select pg_sleep(20)");
            } catch (SQLException error) {
                System.out.println(error.getSQLState());
            }
            System.out.println(connection.isValid(2));
        }
    }
}
