-- Version 2: tokens become enrolments. `key` is the public half of a one-time key; `device` has claimed it; `secret` is that of an
-- authenticator whose first code has not come yet; `is_over`: the device is added.
DROP TABLE tokens;
CREATE TABLE enrolments (
    key     BYTEA PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    person  BIGINT NOT NULL UNIQUE REFERENCES users (id),
    until   BIGINT NOT NULL,
    device  BYTEA CHECK (length(device) = 32),
    secret  BYTEA,
    tries   BIGINT NOT NULL DEFAULT 0,
    is_over BOOLEAN NOT NULL DEFAULT false
);
