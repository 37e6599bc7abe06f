-- Run once by the superuser, connected to the database; the role that owns the tables exists already.

CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE profiles (
  user_id bigint PRIMARY KEY REFERENCES users,
  bio text NOT NULL
);
CREATE TABLE photo_analyses (
  key text PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users,
  score int NOT NULL CHECK (score BETWEEN 0 AND 100),
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE subscriptions (
  user_id bigint PRIMARY KEY REFERENCES users,
  plan text NOT NULL
);

INSERT INTO users (name) SELECT 'test' UNION ALL SELECT 'user-' || n FROM generate_series(1, 999) n;
INSERT INTO profiles SELECT id, 'The profile of ' || name FROM users;
INSERT INTO photo_analyses (key, user_id, score) SELECT 'seed-' || id, id, id % 101 FROM users;
INSERT INTO subscriptions SELECT id, CASE WHEN id % 3 = 0 THEN 'premium' ELSE 'free' END FROM users;

ALTER TABLE users OWNER TO dating;
ALTER TABLE profiles OWNER TO dating;
ALTER TABLE photo_analyses OWNER TO dating;
ALTER TABLE subscriptions OWNER TO dating;
