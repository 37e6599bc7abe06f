-- Run once by the superuser, connected to the notebook's database.
CREATE ROLE notes LOGIN PASSWORD '${secret.notes-password}';
GRANT CREATE, USAGE ON SCHEMA public TO notes;
CREATE TABLE notes (key text PRIMARY KEY, written_at timestamptz NOT NULL DEFAULT now());
ALTER TABLE notes OWNER TO notes;
