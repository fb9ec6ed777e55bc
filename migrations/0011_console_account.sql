-- console@localhost owns the tokens made on the console (hone tokens create). It is nobody: no password
-- opens it, it is not the first person of an instance, and it is not the admin whom a team keeps.
-- Size: one row an account. Locks users for the moment of adding a column with a constant default.
ALTER TABLE users ADD COLUMN console boolean NOT NULL DEFAULT false;
UPDATE users SET console = true WHERE lower(email) = 'console@localhost';
CREATE UNIQUE INDEX users_one_console ON users (console) WHERE console;
