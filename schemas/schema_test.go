package schemas

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"
)

// event.proto, the Go types and the hand-written codec say the same thing
// three times; these tests hold them equal, field by field and by name.

func recordDescriptor(t testing.TB) protoreflect.MessageDescriptor {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "event.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Messages().ByName("Record")
}

// snake returns the Protobuf name of a Go field: TopicID is topic_id and
// TZSource tz_source.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		startsWord := i > 0 && unicode.IsUpper(r) &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// bodies returns the message types of Record's oneof with their Go values.
func bodies(r *Record) map[Kind]reflect.Value {
	return map[Kind]reflect.Value{
		KindEvent: reflect.ValueOf(&r.Event).Elem(), KindOrder: reflect.ValueOf(&r.Order).Elem(),
		KindAlias: reflect.ValueOf(&r.Alias).Elem(), KindTick: reflect.ValueOf(&r.Tick).Elem(),
		KindRange: reflect.ValueOf(&r.Range).Elem(), KindControl: reflect.ValueOf(&r.Control).Elem(),
		KindVoid: reflect.ValueOf(&r.Void).Elem(), KindHandover: reflect.ValueOf(&r.Handover).Elem(),
		KindRebuild: reflect.ValueOf(&r.Rebuild).Elem(), KindFeed: reflect.ValueOf(&r.Feed).Elem(),
	}
}

func TestProtoAndGoHaveTheSameFields(t *testing.T) {
	desc := recordDescriptor(t)
	oneof := desc.Oneofs().ByName("body").Fields()
	all := bodies(&Record{})
	if oneof.Len() != len(all) {
		t.Errorf("event.proto has %d bodies, package schemas %d kinds", oneof.Len(), len(all))
	}
	for i := range oneof.Len() {
		f := oneof.Get(i)
		body, ok := all[Kind(f.Number())]
		if !ok {
			t.Errorf("event.proto: body %s = %d has no Kind", f.Name(), f.Number())
			continue
		}
		sameMessage(t, body.Type(), f.Message())
	}
	if n := desc.Fields().Len(); n != len(all)+2 {
		t.Errorf("Record has %d fields, the codec knows the bodies, home and forwarded", n)
	}
}

// sameMessage compares the names of the fields of a body, and of the messages
// in it.
func sameMessage(t *testing.T, body reflect.Type, message protoreflect.MessageDescriptor) {
	t.Helper()
	var names, protoNames []string
	for j := range body.NumField() {
		names = append(names, snake(body.Field(j).Name))
	}
	for j := range message.Fields().Len() {
		f := message.Fields().Get(j)
		protoNames = append(protoNames, string(f.Name()))
		if f.Kind() == protoreflect.MessageKind {
			for k := range body.NumField() {
				if snake(body.Field(k).Name) == string(f.Name()) {
					sameMessage(t, body.Field(k).Type.Elem(), f.Message())
				}
			}
		}
	}
	slices.Sort(names)
	slices.Sort(protoNames)
	if !slices.Equal(names, protoNames) {
		t.Errorf("%s:\nGo    %v\nproto %v", message.Name(), names, protoNames)
	}
	if got := body.Name(); got != string(message.Name()) {
		t.Errorf("message %s is Go type %s", message.Name(), got)
	}
}

func TestEnumsHaveTheSameNames(t *testing.T) {
	goNames := map[protoreflect.Name][]string{
		"TZSource": tzSourceNames[:], "Direction": directionNames[:],
		"DirectionSource": directionSourceNames[:], "Fault": faultNames[:],
		"NumberCheck": numberCheckNames[:],
	}
	enums := recordDescriptor(t).ParentFile().Enums()
	if enums.Len() != len(goNames) {
		t.Errorf("event.proto has %d enums, this test knows %d", enums.Len(), len(goNames))
	}
	for i := range enums.Len() {
		e := enums.Get(i)
		prefix := snake(string(e.Name())) + "_"
		var names []string
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			if int(v.Number()) != j {
				t.Errorf("%s = %d, want %d", v.Name(), v.Number(), j)
			}
			names = append(names, strings.TrimPrefix(strings.ToLower(string(v.Name())), prefix))
		}
		if !slices.Equal(names, goNames[e.Name()]) {
			t.Errorf("%s:\nGo    %v\nproto %v", e.Name(), goNames[e.Name()], names)
		}
	}
}

// drawRecord returns a record of kind with random fields, strings of any bytes
// that are UTF-8 among them, as event.proto demands.
func drawRecord(t *rapid.T, kind Kind) *Record {
	r := &Record{Kind: kind, Forwarded: rapid.Bool().Draw(t, "forwarded")}
	if r.Forwarded {
		r.Home = rapid.String().Draw(t, "home")
	}
	drawBody(t, bodies(r)[kind])
	return r
}

func drawBody(t *rapid.T, body reflect.Value) {
	for i := range body.NumField() {
		drawField(t, body.Field(i), body.Type().Field(i).Name)
	}
}

func drawField(t *rapid.T, f reflect.Value, name string) {
	switch dst := f.Addr().Interface().(type) {
	case *ID:
		copy(dst[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name))
	case *[]string:
		if names := rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, name); len(names) > 0 {
			*dst = names
		}
	case *[]byte:
		if b := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, name); len(b) > 0 {
			*dst = b
		}
	case *[]HandedAlert:
		for range rapid.IntRange(0, 3).Draw(t, name) {
			*dst = append(*dst, HandedAlert{})
			drawBody(t, reflect.ValueOf(&(*dst)[len(*dst)-1]).Elem())
		}
	case *TZSource:
		*dst = TZSource(rapid.IntRange(0, len(tzSourceNames)-1).Draw(t, name))
	case *Direction:
		*dst = Direction(rapid.IntRange(0, len(directionNames)-1).Draw(t, name))
	case *DirectionSource:
		*dst = DirectionSource(rapid.IntRange(0, len(directionSourceNames)-1).Draw(t, name))
	case *NumberCheck:
		*dst = NumberCheck(rapid.IntRange(0, len(numberCheckNames)-1).Draw(t, name))
	case *Fault:
		*dst = Fault(rapid.IntRange(0, len(faultNames)-1).Draw(t, name))
	default:
		switch {
		case f.Kind() == reflect.String:
			f.SetString(rapid.String().Draw(t, name))
		case f.Kind() == reflect.Bool:
			f.SetBool(rapid.Bool().Draw(t, name))
		case f.Kind() == reflect.Int32:
			f.SetInt(int64(rapid.Int32().Draw(t, name)))
		case f.CanInt():
			f.SetInt(rapid.Int64().Draw(t, name))
		case f.Kind() == reflect.Uint8:
			f.SetUint(uint64(rapid.Uint8().Draw(t, name)))
		case f.CanUint():
			f.SetUint(uint64(rapid.Uint32().Draw(t, name)))
		default:
			t.Fatalf("field %s of type %s is not drawn: add it here", name, f.Type())
		}
	}
}

// toProto builds the message that says the same as r, by names alone.
func toProto(desc protoreflect.MessageDescriptor, r *Record) *dynamicpb.Message {
	m := dynamicpb.NewMessage(desc)
	if r.Forwarded {
		m.Set(desc.Fields().ByName("forwarded"), protoreflect.ValueOfBool(true))
	}
	if r.Home != "" {
		m.Set(desc.Fields().ByName("home"), protoreflect.ValueOfString(r.Home))
	}
	field := desc.Fields().ByNumber(protoreflect.FieldNumber(r.Kind))
	setMessage(m.Mutable(field).Message(), bodies(r)[r.Kind])
	return m
}

func setMessage(m protoreflect.Message, body reflect.Value) {
	for i := range body.NumField() {
		setProto(m, m.Descriptor().Fields().ByName(protoreflect.Name(snake(body.Type().Field(i).Name))), body.Field(i))
	}
}

func setProto(m protoreflect.Message, f protoreflect.FieldDescriptor, v reflect.Value) {
	switch x := v.Interface().(type) {
	case ID:
		if x != (ID{}) {
			m.Set(f, protoreflect.ValueOfBytes(x[:]))
		}
		return
	case []string:
		for _, s := range x {
			m.Mutable(f).List().Append(protoreflect.ValueOfString(s))
		}
		return
	case []HandedAlert:
		for i := range x {
			setMessage(m.Mutable(f).List().AppendMutable().Message(), reflect.ValueOf(&x[i]).Elem())
		}
		return
	case []byte:
		if len(x) > 0 {
			m.Set(f, protoreflect.ValueOfBytes(x))
		}
		return
	}
	if v.IsZero() {
		return
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString(v.String()))
	case protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(v.Bool()))
	case protoreflect.EnumKind:
		m.Set(f, protoreflect.ValueOfEnum(protoreflect.EnumNumber(v.Uint())))
	case protoreflect.Uint32Kind:
		m.Set(f, protoreflect.ValueOfUint32(uint32(v.Uint())))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		m.Set(f, protoreflect.ValueOfInt32(int32(v.Int())))
	case protoreflect.Int64Kind:
		m.Set(f, protoreflect.ValueOfInt64(v.Int()))
	default:
		panic("field " + string(f.FullName()) + " has a kind that this test does not know")
	}
}

func TestCodecIsProtobuf(t *testing.T) {
	desc := recordDescriptor(t)
	for kind := KindEvent; kind <= lastKind; kind++ {
		t.Run(string(desc.Fields().ByNumber(protoreflect.FieldNumber(kind)).Name()), func(t *testing.T) {
			var enc Encoder
			var got Record
			rapid.Check(t, func(t *rapid.T) {
				want := drawRecord(t, kind)
				message := toProto(desc, want)

				ours := dynamicpb.NewMessage(desc)
				if err := proto.Unmarshal(enc.Append(nil, want), ours); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(ours, message) {
					t.Fatalf("encoded\n%v\nwant\n%v", ours, message)
				}
				if unknown := ours.GetUnknown(); len(unknown) > 0 {
					t.Fatalf("the encoder wrote fields that event.proto lacks: %x", unknown)
				}

				theirs, err := proto.Marshal(message)
				if err != nil {
					t.Fatal(err)
				}
				if err := got.Decode(theirs); err != nil {
					t.Fatal(err)
				}
				if !sameRecord(&got, want) {
					t.Fatalf("decoded\n%+v\nwant\n%+v", got, want)
				}
			})
		})
	}
}

// sameRecord compares what a kind uses: a reused Record keeps older bodies.
func sameRecord(a, b *Record) bool {
	if a.Kind != b.Kind || a.Forwarded != b.Forwarded || a.Home != b.Home || a.Kind == KindNone {
		return a.Kind == b.Kind && a.Forwarded == b.Forwarded && a.Home == b.Home
	}
	x, y := bodies(a)[a.Kind], bodies(b)[b.Kind]
	for i := range x.NumField() {
		f, g := x.Field(i), y.Field(i)
		if f.Kind() == reflect.Slice && f.Len() == 0 && g.Len() == 0 {
			continue // nil or empty
		}
		if !reflect.DeepEqual(f.Interface(), g.Interface()) {
			return false
		}
	}
	return true
}

// TestDecodeSkipsUnknownFields: what a newer version adds must not stop an
// older one.
func TestDecodeSkipsUnknownFields(t *testing.T) {
	// Fields 900 and 901: a varint, a group-free length-delimited value, and
	// both fixed widths; 257 is no 1.
	unknown := []byte{
		0x8a, 0x10, 0x00, // 257: ""
		0xa0, 0x38, 0x2a, // 900: varint 42
		0xaa, 0x38, 0x03, 'n', 'e', 'w', // 901: "new"
		0xb1, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, // 902: fixed64
		0xbd, 0x38, 1, 2, 3, 4, // 903: fixed32
	}
	desc := recordDescriptor(t)
	var got Record
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecord(t, Kind(rapid.IntRange(int(KindEvent), int(lastKind)).Draw(t, "kind")))
		m := toProto(desc, want)
		m.SetUnknown(unknown)
		m.Mutable(desc.Fields().ByNumber(protoreflect.FieldNumber(want.Kind))).Message().SetUnknown(unknown)
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
		if !sameRecord(&got, want) {
			t.Fatalf("decoded\n%+v\nwant\n%+v", got, want)
		}
	})
	if err := got.Decode(unknown); err != nil || got.Kind != KindNone {
		t.Errorf("a record of an unknown kind gives kind %d, error %v", got.Kind, err)
	}
}
