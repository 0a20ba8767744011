-- Version 2: tokens become enrolments. `key` is the public half of a one-time key; `device` has claimed it; `secret` is that of an
-- authenticator whose first code has not come yet; `is_over`: the device is added.
DROP TABLE tokens;
CREATE TABLE enrolments (
    key     BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    user    INTEGER NOT NULL UNIQUE REFERENCES users (id),
    until   INTEGER NOT NULL,
    device  BLOB CHECK (length(device) = 32),
    secret  BLOB,
    tries   INTEGER NOT NULL DEFAULT 0,
    is_over INTEGER NOT NULL DEFAULT 0 CHECK (is_over IN (0, 1))
) STRICT, WITHOUT ROWID;
