-- Version 1 of the schema of anynode's sessions in PostgreSQL 13 or later.
--
-- Opening a store runs this by itself. Who gives the application's role no right to create
-- runs it by hand: psql -v ON_ERROR_STOP=1 --single-transaction -f version_1.sql
-- For a schema of another name, replace every `anynode.` and the one name in the first line.
-- The application's role then needs USAGE on the schema, SELECT, INSERT, UPDATE and DELETE on its
-- tables, and TRUNCATE on the reserve: without that it cannot revoke when the disk is full.
--
-- Times are milliseconds since 1970 on the server's clock. Names and text are bytes: text of
-- PostgreSQL holds no zero byte, and two users may never be one to a collation.
CREATE SCHEMA IF NOT EXISTS anynode;

-- A function, because someone who empties every table means the sessions and not this.
CREATE FUNCTION anynode.schema_version() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';

-- A record, or the tombstone that took its place: one row for a handle, so that its unique
-- index decides every race of create, replace and revoke.
CREATE TABLE anynode.record (
    handle           bytea    NOT NULL PRIMARY KEY,
    deadline         bigint   NOT NULL, -- absolute; of a tombstone, until when it is kept
    -- When a sweep looks at a record: never after it died, often before, and not moved by a
    -- touch or a write.
    sweep_at         bigint,
    -- Being used is not a change: no trigger looks at it, and no index holds it, so that a
    -- touch is a HOT update.
    idle_deadline    bigint,
    kind             smallint,
    cause            smallint,          -- of a tombstone; a record has none
    -- Of a tombstone: whether its last write ended a session. An upsert cannot answer what it
    -- found before it.
    ended            boolean,
    stamp            bigint,            -- the epoch under which the user was bound
    counter          bigint,            -- of the version
    write            bytea,             -- of the version
    secret           bytea,             -- SHA-256 of handle and secret
    secret_since     bigint,
    previous         bytea,
    previous_until   bigint,
    created_at       bigint,
    authenticated_at bigint,
    idle_timeout     bigint,            -- milliseconds
    user_id          bytea,
    label            bytea,
    address          bytea,
    payload          bytea,
    CHECK (cause IS NOT NULL OR num_nulls(sweep_at, idle_deadline, kind, counter, write, secret,
        secret_since, created_at, idle_timeout, payload) = 0),
    CHECK ((user_id IS NULL) = (stamp IS NULL)),
    CHECK ((previous IS NULL) = (previous_until IS NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_insert_scale_factor = 0.05);
-- What is sealed or small does not compress, and trying costs time.
ALTER TABLE anynode.record ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX record_by_user ON anynode.record (user_id, handle) WHERE user_id IS NOT NULL;
CREATE INDEX record_by_sweep_at ON anynode.record (sweep_at) WHERE cause IS NULL;
CREATE INDEX record_tombstones ON anynode.record (deadline) WHERE cause IS NOT NULL;

CREATE TABLE anynode.user_entry (
    user_id     bytea   NOT NULL PRIMARY KEY,
    epoch       bigint  NOT NULL, -- microseconds
    spared      bytea,
    spared_from bigint,
    until       bigint  NOT NULL,
    unswept     boolean NOT NULL  -- while outdated records of the user may be left
);
CREATE INDEX user_entry_by_until ON anynode.user_entry (until);
CREATE INDEX user_entry_unswept ON anynode.user_entry (user_id) WHERE unswept;

CREATE TABLE anynode.node (
    node         text   NOT NULL PRIMARY KEY,
    heartbeat_at bigint NOT NULL,
    answered     bigint NOT NULL DEFAULT 0 -- the last call of the roll that it answered
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 500);

-- What nodes have to hear of. The order of seq is not the order of the commits, so nobody may
-- read on from the last seq: what is new is what one snapshot sees and the one before did not.
CREATE TABLE anynode.change (
    seq         bigint   NOT NULL GENERATED ALWAYS AS IDENTITY,
    xid         xid8     NOT NULL DEFAULT pg_current_xact_id(),
    -- 1 record, 2 tombstone, 3 user entry, 4 everything, 5 a call of the roll
    kind        smallint NOT NULL,
    key         bytea,             -- the handle, or the user
    cause       smallint,
    until       bigint,
    epoch       bigint,            -- of a call of the roll, its number
    spared      bytea,
    spared_from bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX change_by_xid ON anynode.change (xid);

-- The number of the last call of the roll. It is no less than the clock, in microseconds, so
-- that none comes twice where a fail-over lost the last one.
CREATE TABLE anynode.roll (
    one    boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    number bigint  NOT NULL
);

-- What was swept from the change table: what the snapshot of removed_until saw. Another
-- snapshot is kept until it is old enough to be the next.
CREATE TABLE anynode.horizon (
    one           boolean     NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    removed_until bigint      NOT NULL,
    next          pg_snapshot NOT NULL,
    next_at       bigint      NOT NULL
);
INSERT INTO anynode.horizon (removed_until, next, next_at) VALUES
    (0, pg_current_snapshot(), floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint);

-- Triggers and not the store write the change table, so that what is edited by hand is heard
-- of as well. They write beside the table they are of, whatever the schema is called.
CREATE FUNCTION anynode.tell_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO anynode.change (kind, key) VALUES (1, OLD.handle);
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.handle <> NEW.handle THEN
        INSERT INTO anynode.change (kind, key) VALUES (1, OLD.handle);
    END IF;
    IF NEW.cause IS NULL THEN
        INSERT INTO anynode.change (kind, key) VALUES (1, NEW.handle);
    ELSE
        INSERT INTO anynode.change (kind, key, cause, until)
        VALUES (2, NEW.handle, NEW.cause, NEW.deadline);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION anynode.tell_user_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.user_id <> NEW.user_id) THEN
        INSERT INTO anynode.change (kind, key) VALUES (3, OLD.user_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO anynode.change (kind, key, epoch, spared, spared_from)
        VALUES (3, NEW.user_id, NEW.epoch, NEW.spared, NEW.spared_from);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION anynode.tell_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO anynode.change (kind) VALUES (4);
    RETURN NULL;
END $$;

-- Nobody has a copy of a record that is new; a tombstone may precede its session.
CREATE TRIGGER record_inserted AFTER INSERT ON anynode.record
    FOR EACH ROW WHEN (NEW.cause IS NOT NULL) EXECUTE FUNCTION anynode.tell_record();
CREATE TRIGGER record_updated AFTER UPDATE OF handle, deadline, kind, cause, stamp, counter,
    write, secret, secret_since, previous, previous_until, created_at, authenticated_at,
    idle_timeout, user_id, label, address, payload ON anynode.record
    FOR EACH ROW EXECUTE FUNCTION anynode.tell_record();
-- What had expired is dead in every copy as well; a sweep would tell of millions.
CREATE TRIGGER record_deleted AFTER DELETE ON anynode.record
    FOR EACH ROW WHEN (coalesce(OLD.idle_deadline, OLD.deadline) >
        floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
    EXECUTE FUNCTION anynode.tell_record();
CREATE TRIGGER record_truncated AFTER TRUNCATE ON anynode.record
    FOR EACH STATEMENT EXECUTE FUNCTION anynode.tell_everything();

CREATE TRIGGER user_entry_written AFTER INSERT OR UPDATE OF user_id, epoch, spared, spared_from
    OR DELETE ON anynode.user_entry
    FOR EACH ROW EXECUTE FUNCTION anynode.tell_user_entry();
CREATE TRIGGER user_entry_truncated AFTER TRUNCATE ON anynode.user_entry
    FOR EACH STATEMENT EXECUTE FUNCTION anynode.tell_everything();
CREATE TRIGGER change_truncated AFTER TRUNCATE ON anynode.change
    FOR EACH STATEMENT EXECUTE FUNCTION anynode.tell_everything();

-- Room that is given back to a full disk, so that revocations go through (L13). While it is not
-- there, ordinary writes try to fill it again and are refused until that is done: so whatever
-- it gives back is for revocations alone, on every node.
-- No column of it can be moved out of line, so that it has no second table, whose index would
-- need a page to be emptied. Unlogged: to fill it takes no room in the log, and it is empty after
-- a crash, when the first write fills it. Numbers that nobody can guess do not compress.
CREATE UNLOGGED TABLE anynode.reserve (
    filler_1 uuid NOT NULL,
    filler_2 uuid NOT NULL,
    filler_3 uuid NOT NULL,
    filler_4 uuid NOT NULL,
    page     integer NOT NULL
) WITH (autovacuum_enabled = off);

-- Nobody waits long for the other nodes, nor they for this, and not at all for those who read:
-- a dump of the database does so for as long as it takes.
CREATE FUNCTION anynode.keep_reserve() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOCK TABLE anynode.reserve IN SHARE ROW EXCLUSIVE MODE;
    IF NOT EXISTS (SELECT FROM anynode.reserve) THEN
        -- What an attempt left for which there was no room; in a new file, which is gone if
        -- there is no room again.
        IF pg_relation_size('anynode.reserve') > 0
            AND has_table_privilege('anynode.reserve', 'TRUNCATE') THEN
            TRUNCATE anynode.reserve;
        END IF;
        -- 1 MiB: 128 pages of 81 rows.
        INSERT INTO anynode.reserve
        WITH filler AS MATERIALIZED (
            SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid()
            FROM generate_series(1, 81))
        SELECT * FROM filler CROSS JOIN generate_series(1, 128) AS page ORDER BY page;
    END IF;
    RETURN true;
END $$;

-- Whoever fills it at this moment is waited for: that takes the room which is wanted.
CREATE FUNCTION anynode.free_reserve() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', '500ms', true);
    LOCK TABLE anynode.reserve IN ACCESS EXCLUSIVE MODE;
    IF pg_relation_size('anynode.reserve') > 0 THEN
        TRUNCATE anynode.reserve;
    END IF;
    RETURN true;
END $$;

SELECT anynode.keep_reserve();
