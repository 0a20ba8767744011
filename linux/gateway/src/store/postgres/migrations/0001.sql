-- Version 1, with the tables of SQLite's. (`user` is a word of the language here.) Times are milliseconds since 1970. Numbers of users and codes are never given again.
CREATE TABLE users (
    id       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     TEXT COLLATE "C" NOT NULL UNIQUE,
    issuer   TEXT COLLATE "C",
    subject  TEXT COLLATE "C",
    enabled  BOOLEAN NOT NULL DEFAULT true,
    password TEXT COLLATE "C",
    created  BIGINT NOT NULL,
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

CREATE TABLE groups (
    id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE
);

-- `source` is '' for what an administrator did, else an issuer.
CREATE TABLE members (
    person BIGINT NOT NULL REFERENCES users (id),
    team   BIGINT NOT NULL REFERENCES groups (id),
    source TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (person, team, source)
);
CREATE INDEX members_of_group ON members (team);

-- `period` is NULL for counters. `last` is the last step or counter that was accepted.
CREATE TABLE codes (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person    BIGINT NOT NULL REFERENCES users (id),
    period    BIGINT CHECK (period > 0),
    algorithm BIGINT NOT NULL CHECK (algorithm BETWEEN 1 AND 3),
    digits    BIGINT NOT NULL CHECK (digits BETWEEN 6 AND 8),
    secret    BYTEA NOT NULL,
    last      BIGINT
);
CREATE INDEX codes_of_user ON codes (person);

CREATE TABLE recovery (
    person BIGINT NOT NULL REFERENCES users (id),
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (person, hash)
);

CREATE TABLE tokens (
    hash  BYTEA PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
    person BIGINT NOT NULL UNIQUE REFERENCES users (id),
    until BIGINT NOT NULL
);

-- `person` is NULL for devices that are shared.
CREATE TABLE devices (
    key     BYTEA PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    person  BIGINT REFERENCES users (id),
    name    TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (person, name)
);

CREATE TABLE revoked (
    key BYTEA PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    at  BIGINT NOT NULL
);

-- `told`: the audit log has it.
CREATE TABLE changes (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    kind    BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    told    BOOLEAN NOT NULL DEFAULT false
);
CREATE INDEX changes_untold ON changes (seq) WHERE NOT told;

-- Who is where and when.
CREATE TABLE sessions (
    device  BYTEA PRIMARY KEY NOT NULL CHECK (length(device) = 32),
    person  BIGINT NOT NULL,
    gateway TEXT COLLATE "C" NOT NULL,
    epoch   BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (person);
CREATE INDEX sessions_by_end ON sessions (until);

-- How often a device has logged in.
CREATE TABLE epochs (
    device BYTEA PRIMARY KEY NOT NULL,
    epoch  BIGINT NOT NULL
);

-- `next`: no address from there on was given yet. It counts from `first`, and is counted anew when that changes.
CREATE TABLE pools (
    name  TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    first BYTEA NOT NULL,
    next  BYTEA NOT NULL
);

-- Addresses are 4 or 16 bytes, as in packets, so that they are in order.
CREATE TABLE leases (
    pool     TEXT COLLATE "C" NOT NULL,
    address  BYTEA NOT NULL CHECK (length(address) IN (4, 16)),
    device   BYTEA CHECK (length(device) = 32),
    until    BIGINT NOT NULL,
    reserved BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY (pool, address),
    UNIQUE (pool, device)
);
CREATE INDEX leases_by_end ON leases (pool, until) WHERE NOT reserved;

-- `subject` is a letter and numbers or keys.
CREATE TABLE attempts (
    subject BYTEA PRIMARY KEY NOT NULL,
    count   BIGINT NOT NULL,
    first   BIGINT NOT NULL,
    last    BIGINT NOT NULL
);
CREATE INDEX attempts_by_last ON attempts (last);
