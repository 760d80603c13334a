-- Times are milliseconds since 1970 on the nodes' wall clock, unless said otherwise.

-- Rows of several kilobytes make a table WITHOUT ROWID slow, so this one has a rowid.
-- The payload comes last, so that what does not ask for it does not read it.
CREATE TABLE record (
    handle           BLOB    NOT NULL PRIMARY KEY,
    kind             INTEGER NOT NULL,
    secret           BLOB    NOT NULL, -- SHA-256 of handle and secret
    secret_since     INTEGER NOT NULL,
    previous         BLOB,
    previous_until   INTEGER,
    counter          INTEGER NOT NULL, -- of the version
    write            BLOB    NOT NULL, -- of the version
    user             TEXT,
    stamp            INTEGER,          -- the epoch under which the user was bound
    created_at       INTEGER NOT NULL,
    authenticated_at INTEGER,
    idle_timeout     INTEGER NOT NULL, -- milliseconds
    deadline         INTEGER NOT NULL,
    label            TEXT,
    address          TEXT,
    idle_deadline    INTEGER NOT NULL, -- being used is not a change: no trigger looks at it
    payload          BLOB    NOT NULL
) STRICT;
CREATE INDEX record_by_user ON record (user, handle) WHERE user IS NOT NULL;
CREATE INDEX record_by_idle_deadline ON record (idle_deadline);

-- What is left of a revoked session: about 30 bytes, and as many in the index.
CREATE TABLE tombstone (
    handle BLOB    NOT NULL PRIMARY KEY,
    cause  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_by_until ON tombstone (until);

CREATE TABLE user_entry (
    user        TEXT    NOT NULL PRIMARY KEY,
    epoch       INTEGER NOT NULL, -- microseconds
    spared      BLOB,
    spared_from INTEGER,
    until       INTEGER NOT NULL,
    unswept     INTEGER NOT NULL  -- 1 while outdated records of the user may be left
) STRICT, WITHOUT ROWID;
CREATE INDEX user_entry_by_until ON user_entry (until);
CREATE INDEX user_entry_unswept ON user_entry (user) WHERE unswept = 1;

CREATE TABLE node (
    node         TEXT    NOT NULL PRIMARY KEY,
    heartbeat_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What nodes have to hear of. There is one writer at a time, so the order of `seq` is the
-- order of the commits; AUTOINCREMENT, so that a number never comes twice.
CREATE TABLE change (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL, -- 1 record, 2 tombstone, 3 user entry
    key  ANY     NOT NULL, -- the handle, or the user
    at   INTEGER NOT NULL  -- seconds, on SQLite's own clock
) STRICT;

-- Triggers and not the store write it, so that what is edited by hand is heard of as well.
CREATE TRIGGER record_updated AFTER UPDATE OF
    handle, kind, secret, secret_since, previous, previous_until, counter, write, user, stamp,
    created_at, authenticated_at, idle_timeout, deadline, label, address, payload ON record
BEGIN
    INSERT INTO change (kind, key, at) VALUES (1, old.handle, unixepoch());
END;
-- A record that became a tombstone is told of by that.
CREATE TRIGGER record_deleted AFTER DELETE ON record
WHEN NOT EXISTS (SELECT 1 FROM tombstone WHERE handle = old.handle)
BEGIN
    INSERT INTO change (kind, key, at) VALUES (1, old.handle, unixepoch());
END;
-- Nobody has a copy of a new record. INSERT OR REPLACE, which only people do, deletes the old
-- one without a word.
CREATE TRIGGER record_replaced BEFORE INSERT ON record
WHEN EXISTS (SELECT 1 FROM record WHERE handle = new.handle)
BEGIN
    INSERT INTO change (kind, key, at) VALUES (1, new.handle, unixepoch());
END;
CREATE TRIGGER tombstone_inserted AFTER INSERT ON tombstone
BEGIN
    INSERT INTO change (kind, key, at) VALUES (2, new.handle, unixepoch());
END;
CREATE TRIGGER user_entry_inserted AFTER INSERT ON user_entry
BEGIN
    INSERT INTO change (kind, key, at) VALUES (3, new.user, unixepoch());
END;
CREATE TRIGGER user_entry_updated AFTER UPDATE OF user, epoch, spared, spared_from ON user_entry
BEGIN
    INSERT INTO change (kind, key, at) VALUES (3, new.user, unixepoch());
END;
CREATE TRIGGER user_entry_deleted AFTER DELETE ON user_entry
BEGIN
    INSERT INTO change (kind, key, at) VALUES (3, old.user, unixepoch());
END;
