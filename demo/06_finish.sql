-- Statistics, so that plans are those of a database that has been in use.
ANALYZE;
