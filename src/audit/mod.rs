//! What happened: one line per statement and per login.
