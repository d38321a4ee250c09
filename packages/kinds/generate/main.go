// Reads the Go source of the built-in Kubernetes types and prints what it says about their JSON
// form, their OpenAPI markers and their merge rules. Comments other than markers are not copied.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// Packages whose registered kinds are the roots; everything reachable from them follows.
var roots = []string{
	"k8s.io/api/core/v1",
	"k8s.io/api/apps/v1",
	"k8s.io/api/batch/v1",
	"k8s.io/api/networking/v1",
	"k8s.io/api/discovery/v1",
	"k8s.io/api/autoscaling/v1",
	"k8s.io/api/autoscaling/v2",
	"k8s.io/api/policy/v1",
	"k8s.io/api/coordination/v1",
	"k8s.io/api/events/v1",
	"k8s.io/api/rbac/v1",
	"k8s.io/api/authentication/v1",
	"k8s.io/api/authorization/v1",
	"k8s.io/api/admissionregistration/v1",
	"k8s.io/api/scheduling/v1",
	"k8s.io/api/storage/v1",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1",
}

const metaV1 = "k8s.io/apimachinery/pkg/apis/meta/v1"
const extensionsV1 = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// The meta/v1 types that are sent as objects of their own, under version v1 of the core group.
var metaKinds = []string{
	"APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "CreateOptions", "DeleteOptions",
	"GetOptions", "List", "ListOptions", "PatchOptions", "Status", "UpdateOptions",
}

// The meta/v1 types that are sent under meta.k8s.io/v1, and those that no kind reaches.
var metaGroupKinds = []string{"PartialObjectMetadata", "PartialObjectMetadataList", "Table", "TableOptions"}
var metaParts = []string{"Condition", "WatchEvent"}

// Types with a JSON form that their declaration does not show.
var special = map[string]string{
	metaV1 + ".Time":                                  "time",
	metaV1 + ".MicroTime":                             "microTime",
	metaV1 + ".FieldsV1":                              "fieldsV1",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":   "quantity",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString": "intOrString",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":    "rawObject",
	"k8s.io/apimachinery/pkg/types.UID":               "string",
	extensionsV1 + ".JSON":                            "json",
	extensionsV1 + ".JSONSchemaPropsOrBool":           "schemaOrBool",
	extensionsV1 + ".JSONSchemaPropsOrArray":          "schemaOrArray",
	extensionsV1 + ".JSONSchemaPropsOrStringArray":    "schemaOrStringArray",
}

type field struct {
	Name        string   `json:"n"`
	Type        string   `json:"t"`
	GoType      string   `json:"g,omitempty"`
	OmitEmpty   int      `json:"o,omitempty"`
	OmitZero    int      `json:"z,omitempty"`
	Required    int      `json:"r,omitempty"`
	Strategy    string   `json:"ps,omitempty"`
	MergeKey    string   `json:"pk,omitempty"`
	ListType    string   `json:"lt,omitempty"`
	ListMapKeys []string `json:"lk,omitempty"`
	MapType     string   `json:"mt,omitempty"`
	StructType  string   `json:"st,omitempty"`
	Default     *any     `json:"d,omitempty"`
}

type structure struct {
	Fields     []field `json:"f"`
	MapType    string  `json:"mt,omitempty"`
	StructType string  `json:"st,omitempty"`
	// Marker of an embedded struct, which CRDs inherit and the published OpenAPI does not.
	EmbeddedMapType string `json:"em,omitempty"`
}

type output struct {
	Structs map[string]*structure        `json:"structs"`
	Enums   map[string][]string          `json:"enums"`
	Kinds   map[string]map[string]string `json:"kinds"`
}

type declaration struct {
	spec *ast.TypeSpec
	doc  string
	file *ast.File
}

type pkg struct {
	path      string
	types     map[string]declaration
	constants map[string]string
	enums     map[string][]string
	group     string
	kinds     []string
}

var packages = map[string]*pkg{}
var out = output{Structs: map[string]*structure{}, Enums: map[string][]string{}, Kinds: map[string]map[string]string{}}

func main() {
	log.SetFlags(0)
	for _, root := range roots {
		p := load(root)
		version := path.Base(root)
		apiVersion := strings.TrimPrefix(p.group+"/"+version, "/")
		for _, kind := range p.kinds {
			register(apiVersion, kind, root)
		}
	}
	for _, kind := range metaKinds {
		register("v1", kind, metaV1)
	}
	for _, kind := range metaGroupKinds {
		register("meta.k8s.io/v1", kind, metaV1)
	}
	for _, name := range metaParts {
		reach(metaV1, name)
	}

	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("../src/types.generated.json", text.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	log.Printf("%d structs, %d bytes", len(out.Structs), text.Len())
}

func register(apiVersion, kind, pkgPath string) {
	if _, known := load(pkgPath).types[kind]; !known {
		return // a form of list or options that the package only aliases
	}
	if out.Kinds[apiVersion] == nil {
		out.Kinds[apiVersion] = map[string]string{}
	}
	out.Kinds[apiVersion][kind] = reach(pkgPath, kind)
}

// reach adds a struct and everything it refers to, and returns its name.
func reach(pkgPath, name string) string {
	ref := refOf(pkgPath, name)
	if out.Structs[ref] != nil {
		return ref
	}
	decl := load(pkgPath).types[name]
	structType, ok := decl.spec.Type.(*ast.StructType)
	if !ok { // core's List is meta's List
		return reach(resolve(pkgPath, decl.file, decl.spec.Type))
	}
	result := &structure{
		MapType:    marker(decl.doc, "mapType"),
		StructType: marker(decl.doc, "structType"),
	}
	out.Structs[ref] = result
	result.Fields = fieldsOf(pkgPath, decl.file, structType)
	result.EmbeddedMapType = embeddedMapType(pkgPath, decl.file, structType)
	return ref
}

func fieldsOf(pkgPath string, file *ast.File, structType *ast.StructType) []field {
	fields := []field{}
	for _, f := range structType.Fields.List {
		tags := reflect.StructTag("")
		if f.Tag != nil {
			text, err := strconv.Unquote(f.Tag.Value)
			if err != nil {
				log.Fatal(err)
			}
			tags = reflect.StructTag(text)
		}
		jsonTag := strings.Split(tags.Get("json"), ",")
		if jsonTag[0] == "-" {
			continue
		}
		if jsonTag[0] == "" {
			if len(f.Names) == 0 {
				fields = append(fields, embedded(pkgPath, file, f.Type)...)
			}
			continue
		}
		text := rawText(f.Doc)
		result := field{
			Name:       jsonTag[0],
			Type:       shape(pkgPath, file, f.Type),
			GoType:     namedGoType(pkgPath, file, f.Type),
			Strategy:   tags.Get("patchStrategy"),
			MergeKey:   tags.Get("patchMergeKey"),
			ListType:   marker(text, "listType"),
			MapType:    marker(text, "mapType"),
			StructType: marker(text, "structType"),
		}
		optional := false
		for _, option := range jsonTag[1:] {
			switch option {
			case "omitempty":
				result.OmitEmpty = 1
				optional = true
			case "omitzero":
				result.OmitZero = 1
				optional = true
			}
		}
		if hasMarker(text, "optional") {
			optional = true
		}
		if hasMarker(text, "required") {
			optional = false
		}
		if !optional {
			result.Required = 1
		}
		result.ListMapKeys = markers(text, "listMapKey")
		if value := marker(text, "default"); value != "" {
			parsed := defaultValue(pkgPath, value)
			result.Default = &parsed
		}
		fields = append(fields, result)
	}
	return fields
}

func embedded(pkgPath string, file *ast.File, expr ast.Expr) []field {
	owner, name := resolve(pkgPath, file, expr)
	decl := load(owner).types[name]
	structType, ok := decl.spec.Type.(*ast.StructType)
	if !ok {
		log.Fatalf("%s.%s is embedded but is no struct", owner, name)
	}
	return fieldsOf(owner, decl.file, structType)
}

func embeddedMapType(pkgPath string, file *ast.File, structType *ast.StructType) string {
	for _, f := range structType.Fields.List {
		if len(f.Names) > 0 || (f.Tag != nil && !strings.Contains(f.Tag.Value, `json:",inline"`)) {
			continue
		}
		owner, name := resolve(pkgPath, file, f.Type)
		doc := load(owner).types[name].doc
		if found := marker(doc, "structType"); found != "" {
			return found
		}
		if found := marker(doc, "mapType"); found != "" {
			return found
		}
	}
	return ""
}

// shape writes a type the way Go does, with our short names for structs.
func shape(pkgPath string, file *ast.File, expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return "*" + shape(pkgPath, file, t.X)
	case *ast.ArrayType:
		if ident, ok := t.Elt.(*ast.Ident); ok && ident.Name == "byte" {
			return "bytes"
		}
		return "[]" + shape(pkgPath, file, t.Elt)
	case *ast.MapType:
		return "map " + shape(pkgPath, file, t.Value)
	case *ast.InterfaceType:
		return "json"
	case *ast.Ident:
		switch t.Name {
		case "string", "bool", "int32", "int64":
			return t.Name
		case "int":
			return "int64"
		case "float64":
			return "float"
		case "any":
			return "json"
		}
	}
	owner, name := resolve(pkgPath, file, expr)
	if owner == extensionsV1 && strings.HasPrefix(name, "JSONSchemaPropsOr") {
		reach(extensionsV1, "JSONSchemaProps")
	}
	if known := special[owner+"."+name]; known != "" {
		return known
	}
	p := load(owner)
	decl, ok := p.types[name]
	if !ok {
		log.Fatalf("no type %s.%s", owner, name)
	}
	if _, ok := decl.spec.Type.(*ast.StructType); ok {
		return reach(owner, name)
	}
	if values := p.enums[name]; values != nil && hasMarker(decl.doc, "enum") {
		ref := refOf(owner, name)
		out.Enums[ref] = values
		return "enum " + ref
	}
	return shape(owner, decl.file, decl.spec.Type)
}

// namedGoType is how Go's decoder names the type in its messages, where the shape does not tell:
// for types with a name of their own that are neither structs nor special.
func namedGoType(pkgPath string, file *ast.File, expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return namedGoType(pkgPath, file, t.X)
	case *ast.ArrayType:
		if element := namedGoType(pkgPath, file, t.Elt); element != "" {
			return "[]" + element
		}
		return ""
	case *ast.Ident:
		if ast.IsExported(t.Name) {
			break
		}
		return ""
	case *ast.MapType, *ast.InterfaceType:
		return ""
	}
	owner, name := resolve(pkgPath, file, expr)
	decl := load(owner).types[name]
	if _, isStruct := decl.spec.Type.(*ast.StructType); isStruct {
		return ""
	}
	return path.Base(owner) + "." + name
}

func resolve(pkgPath string, file *ast.File, expr ast.Expr) (string, string) {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return resolve(pkgPath, file, t.X)
	case *ast.Ident:
		return pkgPath, t.Name
	case *ast.SelectorExpr:
		alias := t.X.(*ast.Ident).Name
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if (spec.Name != nil && spec.Name.Name == alias) || (spec.Name == nil && path.Base(imported) == alias) {
				return imported, t.Sel.Name
			}
		}
	}
	log.Fatalf("cannot resolve %T in %s", expr, pkgPath)
	return "", ""
}

func refOf(pkgPath, name string) string {
	directories := strings.Split(pkgPath, "/")
	return strings.Join(directories[len(directories)-2:], "/") + "." + name
}

func load(pkgPath string) *pkg {
	if p := packages[pkgPath]; p != nil {
		return p
	}
	p := &pkg{path: pkgPath, types: map[string]declaration{}, constants: map[string]string{}, enums: map[string][]string{}}
	packages[pkgPath] = p
	set := token.NewFileSet()
	isSource := func(info fs.FileInfo) bool {
		return !strings.HasSuffix(info.Name(), "_test.go") && !strings.HasPrefix(info.Name(), "generated.") &&
			!strings.HasPrefix(info.Name(), "zz_generated.")
	}
	parsed, err := parser.ParseDir(set, directoryOf(pkgPath), isSource, parser.ParseComments)
	if err != nil {
		log.Fatal(err)
	}
	for _, source := range parsed {
		for _, file := range source.Files {
			p.read(file)
		}
	}
	for _, values := range p.enums {
		sort.Strings(values)
	}
	sort.Strings(p.kinds)
	return p
}

func (p *pkg) read(file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					doc := rawText(s.Doc)
					if doc == "" {
						doc = rawText(d.Doc)
					}
					p.types[s.Name.Name] = declaration{spec: s, doc: doc, file: file}
				case *ast.ValueSpec:
					if d.Tok == token.CONST {
						p.readConstants(s)
					}
				}
			}
		case *ast.FuncDecl:
			ast.Inspect(d, p.readRegistration)
		}
	}
}

func (p *pkg) readConstants(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			continue
		}
		literal, ok := spec.Values[i].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			continue
		}
		value, _ := strconv.Unquote(literal.Value)
		p.constants[name.Name] = value
		if name.Name == "GroupName" {
			p.group = value
		}
		if typed, ok := spec.Type.(*ast.Ident); ok {
			p.enums[typed.Name] = append(p.enums[typed.Name], value)
		}
	}
}

func (p *pkg) readRegistration(node ast.Node) bool {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return true
	}
	if method, ok := call.Fun.(*ast.SelectorExpr); !ok || method.Sel.Name != "AddKnownTypes" {
		return true
	}
	for _, argument := range call.Args {
		if unary, ok := argument.(*ast.UnaryExpr); ok {
			if literal, ok := unary.X.(*ast.CompositeLit); ok {
				if ident, ok := literal.Type.(*ast.Ident); ok {
					p.kinds = append(p.kinds, ident.Name)
				}
			}
		}
	}
	return true
}

func directoryOf(pkgPath string) string {
	text, err := exec.Command("go", "list", "-f", "{{.Dir}}", pkgPath).Output()
	if err != nil {
		log.Fatalf("go list %s: %v", pkgPath, err)
	}
	return strings.TrimSpace(string(text))
}

// rawText keeps the lines that ast.CommentGroup.Text drops as directives.
func rawText(group *ast.CommentGroup) string {
	if group == nil {
		return ""
	}
	var text strings.Builder
	for _, comment := range group.List {
		text.WriteString(strings.TrimSpace(strings.TrimPrefix(comment.Text, "//")) + "\n")
	}
	return text.String()
}

func hasMarker(text, name string) bool {
	for _, line := range strings.Split(text, "\n") {
		if line == "+"+name || strings.HasPrefix(line, "+"+name+"=") {
			return true
		}
	}
	return false
}

func marker(text, name string) string {
	if values := markers(text, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

func markers(text, name string) []string {
	var values []string
	for _, line := range strings.Split(text, "\n") {
		if value, ok := strings.CutPrefix(line, "+"+name+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

func defaultValue(pkgPath, text string) any {
	if name, ok := strings.CutPrefix(text, "ref("); ok {
		value, known := load(pkgPath).constants[strings.TrimSuffix(name, ")")]
		if !known {
			log.Fatalf("no constant for default %s", text)
		}
		return value
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		log.Fatal(fmt.Errorf("default %s: %w", text, err))
	}
	return value
}
