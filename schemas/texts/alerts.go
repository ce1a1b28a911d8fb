package texts

// Advice says what to do about an alert, in the language of t; it is
// schemas.Advice for every language. What a rule demands for one of its cases
// goes before what its cause demands. "" where there is nothing to say.
func (t Texts) Advice(rule, detail, cause string) string {
	for _, key := range []string{rule + "." + detail, rule + "." + cause, rule, cause} {
		if text, ok := t.text["alert.do."+key]; ok {
			return text
		}
	}
	return ""
}
