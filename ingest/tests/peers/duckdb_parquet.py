"""Writes a JSONL catalog as Parquet with DuckDB. Arguments: the JSONL file, the Parquet file, the compression."""

import sys

import duckdb

source, target, compression = sys.argv[1:]
columns = {
    "id": "VARCHAR",
    "namespace": "VARCHAR",
    "name": "VARCHAR",
    "title": "VARCHAR",
    "description": "VARCHAR",
    "version": "VARCHAR",
    "input_schema": "JSON",
    "output_schema": "JSON",
    "tags": "VARCHAR[]",
    "required_scopes": "VARCHAR[][]",
    "deprecation": "VARCHAR",
    "annotations": "STRUCT(read_only BOOLEAN, destructive BOOLEAN)",
    "execution": "STRUCT(mode VARCHAR, auth_type VARCHAR, requires_obo BOOLEAN)",
    "owner": "INTEGER",
}
read = duckdb.read_json(source, format="newline_delimited", columns=columns, maximum_object_size=4 << 20)
read.write_parquet(target, compression=compression, row_group_size=2048)
