package sink

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"scantrail/schemas"
)

// InsertArchive writes rows into archive, as InsertParcels does. A state of
// more than schemas.MaxState bytes is an error, since no record could bring it
// back; nothing is written then.
func (w *Rows) InsertArchive(ctx context.Context, rows []schemas.ArchiveRow) error {
	for i := range rows {
		if r := &rows[i]; len(r.State) > schemas.MaxState {
			return fmt.Errorf("insert into archive: %s %.60q (%s): state of %d bytes, at most %d: keep the entity in memory, or quarantine it", r.Kind, r.Name, r.EntityID, len(r.State), schemas.MaxState)
		}
	}
	b := w.archive
	defer b.reset()
	for len(rows) > 0 {
		b.reset()
		n, bytes := 0, 0
		for n < min(len(rows), maxBlockRows) && bytes < maxArchiveBlock {
			b.add(&rows[n])
			bytes += len(rows[n].State)
			n++
		}
		if err := b.insert(ctx, w.conn, &w.buf); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

const (
	// maxArchiveBlock bounds the states of one insert.
	maxArchiveBlock = 32 << 20
	// maxArchiveIDs bounds the ids of one query: with 39 bytes each it stays
	// below ClickHouse's max_query_size of 256 KiB.
	maxArchiveIDs = 4000
	// maxArchiveBytes bounds the states of one answer of Archived.
	maxArchiveBytes = 256 << 20
)

// Archived returns what archive holds of these entities: of each life the row of
// the highest version, the lives of one entity together and in their order.
// Entities that it does not know are left out. More than 256 MiB of states are
// an error: ask for fewer at a time.
func (w *Rows) Archived(ctx context.Context, ids []schemas.ID) ([]schemas.ArchiveRow, error) {
	var found []schemas.ArchiveRow
	room := maxArchiveBytes
	for len(ids) > 0 {
		n := min(len(ids), maxArchiveIDs)
		var err error
		if found, err = w.archived(ctx, found, ids[:n], &room); err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	return found, nil
}

// archived appends the rows of ids to found, and takes their states from room.
func (w *Rows) archived(ctx context.Context, found []schemas.ArchiveRow, ids []schemas.ID, room *int) ([]schemas.ArchiveRow, error) {
	// The driver would write a list of parameters as a call for each.
	query := []byte("SELECT entity_id, toUnixTimestamp64Milli(opened_at), version, kind, name, state, toUnixTimestamp64Milli(evicted_at) FROM archive FINAL WHERE entity_id IN (")
	for i, id := range ids {
		if i > 0 {
			query = append(query, ',')
		}
		query = append(append(append(query, '\''), id.String()...), '\'')
	}
	rows, err := w.conn.Query(ctx, string(append(query, ") ORDER BY entity_id, opened_at"...)))
	if err != nil {
		return nil, explain("read archive", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r schemas.ArchiveRow
		var id uuid.UUID
		var state string
		if err := rows.Scan(&id, &r.OpenedAt, &r.Version, &r.Kind, &r.Name, &state, &r.EvictedAt); err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if *room -= len(state); *room < 0 {
			return nil, fmt.Errorf("read archive: more than %d bytes of states: ask for fewer entities at a time", maxArchiveBytes)
		}
		r.EntityID, r.State = schemas.ID(id), []byte(state)
		found = append(found, r)
	}
	if err := rows.Err(); err != nil {
		return nil, explain("read archive", err)
	}
	return found, nil
}

// archiveBlock is a block of archive.
type archiveBlock struct {
	block
	id                ids
	version           u64s
	kind, name, state strs
	opened, evicted   times
}

func newArchiveBlock() *archiveBlock {
	b := &archiveBlock{}
	b.block = newBlock("archive",
		idCol("entity_id", &b.id), timeCol("opened_at", &b.opened), u64Col("version", &b.version), strCol("kind", &b.kind),
		strCol("name", &b.name), strCol("state", &b.state), timeCol("evicted_at", &b.evicted))
	return b
}

func (b *archiveBlock) add(r *schemas.ArchiveRow) {
	b.rows++
	b.id.add(r.EntityID)
	b.opened.add(r.OpenedAt)
	b.version.add(r.Version)
	b.kind.add(r.Kind)
	b.name.add(r.Name)
	b.state.addBytes(r.State)
	b.evicted.add(r.EvictedAt)
}
