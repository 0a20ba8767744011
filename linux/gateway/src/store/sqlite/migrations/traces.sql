-- Who is where and when. Made in the database, or, where nothing of this may be kept, as temporary tables in memory, which
-- stand before tables of the same name; so no table here refers to one of the others. Part of version 1.
CREATE TABLE sessions (
    device  BLOB PRIMARY KEY NOT NULL CHECK (length(device) = 32),
    user    INTEGER NOT NULL,
    gateway TEXT NOT NULL,
    epoch   INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE INDEX sessions_by_end ON sessions (until);

-- How often a device has logged in.
CREATE TABLE epochs (
    device BLOB PRIMARY KEY NOT NULL,
    epoch  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `next`: no address from there on was given yet. It counts from `first`, and is counted anew when that changes.
CREATE TABLE pools (
    name  TEXT PRIMARY KEY NOT NULL,
    first BLOB NOT NULL,
    next  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Addresses are 4 or 16 bytes, as in packets, so that they are in order.
CREATE TABLE leases (
    pool     TEXT NOT NULL,
    address  BLOB NOT NULL CHECK (length(address) IN (4, 16)),
    device   BLOB CHECK (length(device) = 32),
    until    INTEGER NOT NULL,
    reserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pool, address),
    UNIQUE (pool, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX leases_by_end ON leases (pool, until) WHERE reserved = 0;

-- `subject` is a letter and numbers or keys.
CREATE TABLE attempts (
    subject BLOB PRIMARY KEY NOT NULL,
    count   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_last ON attempts (last);
