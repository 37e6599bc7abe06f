-- Run once by the superuser, connected to the database; the role that owns the tables exists already.
CREATE TABLE notes (key text PRIMARY KEY, text text NOT NULL DEFAULT '', written_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE notes OWNER TO notes;
