-- Times are milliseconds since 1970-01-01T00:00:00Z. Ids are never used again: AUTOINCREMENT.

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Whoever is Test is also test.
    username      TEXT    NOT NULL COLLATE NOCASE UNIQUE,
    -- NULL: the user logs in by an identity provider only.
    password_hash TEXT,
    administrator INTEGER NOT NULL,
    disabled      INTEGER NOT NULL DEFAULT 0,
    -- Who the person is, JSON.
    profile       TEXT    NOT NULL DEFAULT '{}',
    created       INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB    PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);

CREATE TABLE applications (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    user     INTEGER NOT NULL REFERENCES users (id),
    name     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    reason   TEXT,
    revision INTEGER NOT NULL DEFAULT 1,
    created  INTEGER NOT NULL,
    UNIQUE (user, name)
) STRICT;

CREATE TABLE services (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    application  INTEGER NOT NULL REFERENCES applications (id),
    service_type TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    reason       TEXT,
    since        INTEGER NOT NULL,
    -- The revision of its manager's report that the state comes from; 0 for a manager that has not
    -- reported yet.
    report       INTEGER NOT NULL DEFAULT 0,
    -- It is being deleted: no node may be made for it any more.
    deleting     INTEGER NOT NULL DEFAULT 0,
    -- What new nodes run before their agent.
    startup_script TEXT,
    revision     INTEGER NOT NULL DEFAULT 1,
    created      INTEGER NOT NULL
) STRICT;
CREATE INDEX services_by_application ON services (application);

CREATE TABLE operations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    application INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    parameters  TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    -- The number of steps that may have had an effect.
    begun       INTEGER NOT NULL DEFAULT 0,
    step        TEXT    NOT NULL DEFAULT '',
    error       TEXT,
    created     INTEGER NOT NULL
) STRICT;
CREATE INDEX operations_under_way ON operations (application)
    WHERE state IN ('running', 'unwinding');

-- A row is there before its server is asked for, and goes after the server is gone.
CREATE TABLE nodes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    application INTEGER NOT NULL REFERENCES applications (id),
    -- NULL: the application's manager.
    service     INTEGER REFERENCES services (id),
    role        TEXT    NOT NULL,
    cloud       TEXT    NOT NULL,
    instance_type TEXT  NOT NULL,
    state       TEXT    NOT NULL,
    server      TEXT    NOT NULL DEFAULT '',
    public_ip   TEXT,
    private_ip  TEXT,
    -- The single-use secret of its user-data; NULL before the server is asked for and once used.
    token_hash  BLOB,
    -- Of the public key that the token was exchanged for: its holder is this node.
    key_hash    BLOB,
    -- The operation that made it or removes it.
    operation   INTEGER NOT NULL REFERENCES operations (id),
    -- What the meter showed when it was recorded, and when it was found lost.
    metered_from  INTEGER NOT NULL,
    metered_until INTEGER,
    created     INTEGER NOT NULL
) STRICT;
CREATE INDEX nodes_by_application ON nodes (application);
CREATE INDEX nodes_by_service ON nodes (service);
CREATE UNIQUE INDEX nodes_one_manager ON nodes (application)
    WHERE service IS NULL AND state <> 'stopping';
CREATE UNIQUE INDEX nodes_by_token ON nodes (token_hash);
CREATE UNIQUE INDEX nodes_by_key ON nodes (key_hash);

CREATE TABLE certificates (
    serial  TEXT    PRIMARY KEY,
    node    INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_node ON certificates (node);

-- The ledger: entries are added, never changed. The balance is their sum.
CREATE TABLE credits (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    user   INTEGER NOT NULL REFERENCES users (id),
    kind   TEXT    NOT NULL CHECK (kind IN ('grant', 'charge', 'refund')),
    amount INTEGER NOT NULL,
    node   INTEGER,
    -- Hours since the node's creation; 0 is the first.
    hour   INTEGER,
    -- Of grants: what the administrator said.
    note   TEXT,
    at     INTEGER NOT NULL,
    CHECK ((kind = 'grant') = (node IS NULL) AND (node IS NULL) = (hour IS NULL))
) STRICT;
CREATE UNIQUE INDEX credits_once ON credits (node, hour, kind) WHERE node IS NOT NULL;
CREATE INDEX credits_by_user ON credits (user, amount);

-- A row is there before its volume is asked for, and goes after the volume is gone: at the latest
-- with its node.
CREATE TABLE volumes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    node      INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    name      TEXT    NOT NULL,
    size_mib  INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    -- Whether the cloud was asked for it.
    attempted INTEGER NOT NULL DEFAULT 0,
    volume    TEXT    NOT NULL DEFAULT '',
    device    TEXT    NOT NULL DEFAULT '',
    -- The operation that made it or removes it.
    operation INTEGER NOT NULL REFERENCES operations (id),
    created   INTEGER NOT NULL
) STRICT;
CREATE INDEX volumes_by_node ON volumes (node);

-- API tokens: what scripts log in with.
CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    token_hash BLOB    NOT NULL UNIQUE,
    read_only  INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER,
    -- Kept to the minute.
    last_used  INTEGER,
    UNIQUE (user, name)
) STRICT;

-- How long directors have been at work on this database, in milliseconds.
CREATE TABLE meter (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    shows INTEGER NOT NULL
) STRICT;
INSERT INTO meter VALUES (1, 0);

-- One row: the random id that everything in a cloud is tagged with.
CREATE TABLE installation (
    id TEXT NOT NULL
) STRICT;

-- Whom identity providers vouch for.
CREATE TABLE identities (
    issuer  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    user    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_by_user ON identities (user);

-- What services went through; of each the latest entries are kept.
CREATE TABLE service_history (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    service INTEGER NOT NULL REFERENCES services (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    reason  TEXT
) STRICT;
CREATE INDEX service_history_by_service ON service_history (service);

-- Manifests that administrators have registered for everybody.
CREATE TABLE ready_manifests (
    name        TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    manifest    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
