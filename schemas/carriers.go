package schemas

import "embed"

// Carriers holds the built-in mappings carriers/*.yaml and the shared phrases
// lexicon/*.yaml.
//
//go:embed carriers lexicon
var Carriers embed.FS
