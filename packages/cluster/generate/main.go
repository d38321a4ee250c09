// Reads the protobuf field numbers of the built-in Kubernetes types from their struct tags and
// writes ../src/apiserver/protobuf-fields.generated.json: `ref: {number: JSON name}`, where
// `!ref` stands for a message whose fields appear in JSON among those of its owner.
package main

import (
	"encoding/json"
	"log"
	"os"
	"path"
	"reflect"
	"strings"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

var structs = map[string]map[string]string{}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistration.AddToScheme, apps.AddToScheme, authentication.AddToScheme,
		authorization.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		batch.AddToScheme, coordination.AddToScheme, core.AddToScheme, discovery.AddToScheme,
		events.AddToScheme, networking.AddToScheme, policy.AddToScheme, rbac.AddToScheme,
		scheduling.AddToScheme, storage.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			log.Fatal(err)
		}
	}
	for gvk, kind := range scheme.AllKnownTypes() {
		if gvk.Version != "__internal" {
			reach(kind)
		}
	}
	reach(reflect.TypeOf(meta.DeleteOptions{}))
	text, err := json.Marshal(structs)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("../src/apiserver/protobuf-fields.generated.json", append(text, '\n'), 0o644); err != nil {
		log.Fatal(err)
	}
}

func refOf(kind reflect.Type) string {
	directory := kind.PkgPath()
	return path.Base(path.Dir(directory)) + "/" + path.Base(directory) + "." + kind.Name()
}

func reach(kind reflect.Type) {
	for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		kind = kind.Elem()
	}
	if kind.Kind() != reflect.Struct || !strings.HasPrefix(kind.PkgPath(), "k8s.io/") {
		return
	}
	ref := refOf(kind)
	if _, known := structs[ref]; known {
		return
	}
	fields := map[string]string{}
	structs[ref] = fields
	for index := 0; index < kind.NumField(); index++ {
		field := kind.Field(index)
		tag := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(tag) < 2 {
			continue
		}
		name := strings.Split(field.Tag.Get("json"), ",")[0]
		if name == "" && field.Anonymous {
			name = "!" + refOf(field.Type)
		}
		fields[tag[1]] = name
		reach(field.Type)
	}
	if len(fields) == 0 {
		delete(structs, ref)
		structs[ref] = map[string]string{}
	}
}
