// Prints how Go declares the types that plugins receive: packages/plugins/src/netrpc/go-types.generated.json.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// field is the Go name, the JSON name (empty: its fields stand in the outer object) and the type.
type field [3]string

var structs = map[string][]field{}

func main() {
	for _, root := range []any{v1alpha1.Rollout{}, v1alpha1.AnalysisRun{}, v1alpha1.Measurement{}} {
		nameOf(reflect.TypeOf(root))
	}
	names := make([]string, 0, len(structs))
	for name := range structs {
		names = append(names, name)
	}
	sort.Strings(names)
	var out bytes.Buffer
	out.WriteString("{\n")
	for i, name := range names {
		line, err := json.Marshal(structs[name])
		if err != nil {
			panic(err)
		}
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		fmt.Fprintf(&out, "%q:%s%s\n", name, line, comma)
	}
	out.WriteString("}\n")
	os.Stdout.Write(out.Bytes())
}

// nameOf returns the notation of a type; "" for what gob cannot carry.
func nameOf(t reflect.Type) string {
	switch t {
	case reflect.TypeOf(metav1.Time{}), reflect.TypeOf(metav1.MicroTime{}):
		return "time"
	case reflect.TypeOf(json.RawMessage{}):
		return "json"
	case reflect.TypeOf(resource.Quantity{}):
		return "" // all that matters is unexported
	case reflect.TypeOf(metav1.ManagedFieldsEntry{}):
		return "" // long, and nobody's business
	}
	switch t.Kind() {
	case reflect.Pointer:
		return nameOf(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Float32, reflect.Float64:
		return "float"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return around("[]", nameOf(t.Elem()))
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			panic(fmt.Sprintf("map with keys of %s", t.Key()))
		}
		return around("map ", nameOf(t.Elem()))
	case reflect.Struct:
		return structOf(t)
	}
	panic(fmt.Sprintf("no notation for %s", t))
}

func around(prefix, inner string) string {
	if inner == "" {
		return ""
	}
	return prefix + inner
}

func structOf(t reflect.Type) string {
	name := strings.TrimPrefix(t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:]+"."+t.Name(), ".")
	if t.PkgPath() == "k8s.io/api/core/v1" {
		name = "core." + t.Name()
	}
	if t.Name() == "" {
		panic(fmt.Sprintf("a struct without a name: %s", t))
	}
	if _, known := structs[name]; known {
		return name
	}
	structs[name] = []field{} // ends recursion
	fields := []field{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		jsonName, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if jsonName == "-" || strings.HasPrefix(f.Name, "XXX_") {
			continue
		}
		if jsonName == "" && !f.Anonymous {
			jsonName = f.Name
		}
		if notation := nameOf(f.Type); notation != "" {
			fields = append(fields, field{f.Name, jsonName, notation})
		}
	}
	structs[name] = fields
	return name
}
