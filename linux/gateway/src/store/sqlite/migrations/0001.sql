-- Version 1. Times are milliseconds since 1970. Numbers of users and codes are never given again.
CREATE TABLE users (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT NOT NULL UNIQUE,
    issuer   TEXT,
    subject  TEXT,
    enabled  INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    password TEXT,
    created  INTEGER NOT NULL,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL))
) STRICT;

CREATE TABLE groups (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- `source` is '' for what an administrator did, else an issuer.
CREATE TABLE members (
    user   INTEGER NOT NULL REFERENCES users (id),
    team   INTEGER NOT NULL REFERENCES groups (id),
    source TEXT NOT NULL,
    PRIMARY KEY (user, team, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_of_group ON members (team);

-- `period` is NULL for counters. `last` is the last step or counter that was accepted.
CREATE TABLE codes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    user      INTEGER NOT NULL REFERENCES users (id),
    period    INTEGER CHECK (period > 0),
    algorithm INTEGER NOT NULL CHECK (algorithm BETWEEN 1 AND 3),
    digits    INTEGER NOT NULL CHECK (digits BETWEEN 6 AND 8),
    secret    BLOB NOT NULL,
    last      INTEGER
) STRICT;
CREATE INDEX codes_of_user ON codes (user);

CREATE TABLE recovery (
    user INTEGER NOT NULL REFERENCES users (id),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    hash  BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    user  INTEGER NOT NULL UNIQUE REFERENCES users (id),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `user` is NULL for devices that are shared.
CREATE TABLE devices (
    key     BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    user    INTEGER REFERENCES users (id),
    name    TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (user, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked (
    key BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `told`: the audit log has it.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    subject TEXT NOT NULL,
    told    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX changes_untold ON changes (seq) WHERE told = 0;
