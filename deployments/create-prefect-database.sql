-- Beside our own database, on the same server: Prefect keeps its runs in its own.
CREATE DATABASE prefect;
