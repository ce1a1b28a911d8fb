package chdb

import (
	"encoding/xml"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What the engine's only user may do: everything inside the data directory, and
// nothing outside of it. Not among it: SYSTEM SHUTDOWN, which ends this process,
// and CREATE DICTIONARY, whose sources run commands and fetch URLs. An engine
// with SOURCES on top may read any file and run any command of this process's
// user.
const (
	grantAll     = "GRANT CHECK, SHOW, SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE FUNCTION, DROP, UNDROP TABLE, TRUNCATE, OPTIMIZE, KILL QUERY, dictGet, CLUSTER, displaySecretsInShowAndSelect, SYSTEM DROP CACHE, SYSTEM RELOAD, SYSTEM MERGES, SYSTEM TTL MERGES, SYSTEM MOVES, SYSTEM FLUSH, SYSTEM VIEWS ON *.*"
	grantDefiner = "GRANT SET DEFINER ON *"
	grantEngines = "GRANT TABLE ENGINE ON *"
	grantSources = "GRANT SOURCES, CREATE DICTIONARY ON *.*"
)

// maxMarkCache keeps the mark cache, 5 GiB by default, in proportion to an engine
// that shares its process: marks of some 100 M rows.
const maxMarkCache = 256 << 20

// writeConfig writes the engine's two configuration files below dataDir and
// returns the path of the main one.
func writeConfig(dataDir string, opts EngineOptions) (string, error) {
	dir := filepath.Join(dataDir, "config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	config, users := filepath.Join(dir, "config.xml"), filepath.Join(dir, "users.xml")
	if err := writeFile(users, usersXML(opts)); err != nil {
		return "", err
	}
	return config, writeFile(config, configXML(dataDir, users, opts))
}

// writeFile replaces path at once, so that a crash leaves no half of it. What is
// there already is not written again: an engine whose disk is full can then start,
// and say so to each insert.
func writeFile(path, text string) error {
	if has, err := os.ReadFile(path); err == nil && string(has) == text {
		return nil
	}
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func configXML(dataDir, users string, opts EngineOptions) string {
	var b strings.Builder
	b.WriteString("<clickhouse>\n")
	element(&b, "users_config", users)
	element(&b, "tmp_path", filepath.Join(dataDir, "tmp")+"/")
	element(&b, "user_files_path", filepath.Join(dataDir, "user_files")+"/")
	element(&b, "mark_cache_size", fmt.Sprint(maxMarkCache))
	if opts.MaxMemory > 0 {
		element(&b, "max_server_memory_usage", fmt.Sprint(opts.MaxMemory))
	}
	b.WriteString("<access_control_improvements><table_engines_require_grant>true</table_engines_require_grant></access_control_improvements>\n")
	b.WriteString(opts.Config)
	b.WriteString("</clickhouse>\n")
	return b.String()
}

// profile holds the settings that differ here from ClickHouse's defaults, or
// that libchdb changes from a server's: UTC makes the engine the same on every
// machine, and there is no queue for asynchronous inserts; a lone expression is
// no query, and addresses of the process are nobody's business.
func profile() map[string]string {
	return map[string]string{
		"session_timezone":              "UTC",
		"async_insert":                  "0",
		"implicit_select":               "0",
		"allow_introspection_functions": "0",
	}
}

// usersXML describes the engine's only user.
func usersXML(opts EngineOptions) string {
	if opts.Users != "" {
		return opts.Users
	}
	grants := []string{grantAll, grantDefiner, "GRANT TABLE ENGINE ON MergeTree"}
	if opts.AllowSources {
		grants = []string{grantAll, grantDefiner, grantEngines, grantSources}
	}
	var b strings.Builder
	b.WriteString("<clickhouse>\n<profiles><default>\n")
	settings := profile()
	for _, setting := range slices.Sorted(maps.Keys(settings)) { // the same text each time
		element(&b, setting, settings[setting])
	}
	b.WriteString("</default></profiles>\n<quotas><default></default></quotas>\n<users><default>\n")
	b.WriteString("<password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>\n<grants>\n")
	for _, g := range grants {
		element(&b, "query", g)
	}
	b.WriteString("</grants>\n</default></users>\n</clickhouse>\n")
	return b.String()
}

func element(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">")
	xml.EscapeText(b, []byte(text)) // a strings.Builder never fails
	b.WriteString("</" + name + ">\n")
}
