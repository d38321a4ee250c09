// A plugin as people write them for Argo Rollouts: its types, its helpers, the published go-plugin.
// It does what its configuration says and tells back what it received, so that tests can compare.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	metricrpc "github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	steprpc "github.com/argoproj/argo-rollouts/rollout/steps/plugin/rpc"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	goplugin "github.com/hashicorp/go-plugin"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// orders is the configuration of a metric or a step.
type orders struct {
	Phase        string `json:"phase"`
	Message      string `json:"message"`
	Value        string `json:"value"`
	RequeueAfter string `json:"requeueAfter"`
	Error        string `json:"error"`
	// Hang never answers, Die ends the process in the middle of the call, Panic lets the call panic.
	Hang  bool `json:"hang"`
	Die   bool `json:"die"`
	Panic bool `json:"panic"`
	// Print goes to standard output and standard error.
	Print string `json:"print"`
}

func (o orders) obey() {
	if o.Print != "" {
		fmt.Fprintln(os.Stdout, "out "+o.Print)
		fmt.Fprintln(os.Stderr, "err "+o.Print)
		log.Println("log " + o.Print)
	}
	if o.Hang {
		select {}
	}
	if o.Die {
		os.Exit(7)
	}
	if o.Panic {
		panic("as ordered")
	}
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: sample metric|step [--fail-init-while FILE]")
	}
	cookie, plugins := "", map[string]goplugin.Plugin{}
	switch os.Args[1] {
	case "metric":
		cookie = "metricprovider"
		plugins["RpcMetricProviderPlugin"] = &metricrpc.RpcMetricProviderPlugin{Impl: &metric{}}
	case "step":
		cookie = "step"
		plugins["RpcStepPlugin"] = &steprpc.RpcStepPlugin{Impl: &step{}}
	default:
		log.Fatalf("unknown kind %q", os.Args[1])
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "ARGO_ROLLOUTS_RPC_PLUGIN",
			MagicCookieValue: cookie,
		},
		Plugins: plugins,
	})
}

// initialize fails while the file exists that --fail-init-while names.
func initialize() types.RpcError {
	for i, arg := range os.Args {
		if arg != "--fail-init-while" || i+1 >= len(os.Args) {
			continue
		}
		if _, err := os.Stat(os.Args[i+1]); err == nil {
			return types.RpcError{ErrorString: "not yet"}
		}
	}
	return types.RpcError{}
}

func text(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

type metric struct{}

func ordersOf(m v1alpha1.Metric) orders {
	var o orders
	for _, raw := range m.Provider.Plugin {
		if err := json.Unmarshal(raw, &o); err != nil {
			o.Message = err.Error()
		}
	}
	return o
}

func (*metric) InitPlugin() types.RpcError { return initialize() }

func (*metric) Type() string { return "sample" }

func (*metric) Run(run *v1alpha1.AnalysisRun, m v1alpha1.Metric) v1alpha1.Measurement {
	o := ordersOf(m)
	o.obey()
	started := metav1.NewTime(time.Unix(1_700_000_000, 0))
	result := v1alpha1.Measurement{
		Phase:     v1alpha1.AnalysisPhase(o.Phase),
		Message:   o.Message,
		Value:     o.Value,
		StartedAt: &started,
		Metadata:  map[string]string{"run": text(run), "metric": text(m), "pid": fmt.Sprint(os.Getpid())},
	}
	if result.Phase == v1alpha1.AnalysisPhaseRunning {
		resume := metav1.NewTime(started.Add(20 * time.Second))
		result.ResumeAt = &resume
	} else {
		finished := metav1.NewTime(started.Add(1500 * time.Millisecond))
		result.FinishedAt = &finished
	}
	return result
}

func (*metric) Resume(_ *v1alpha1.AnalysisRun, m v1alpha1.Metric, measurement v1alpha1.Measurement) v1alpha1.Measurement {
	ordersOf(m).obey()
	now := metav1.NewTime(time.Unix(1_700_000_030, 0))
	measurement.Metadata = map[string]string{"measurement": text(measurement)}
	measurement.Phase = v1alpha1.AnalysisPhaseSuccessful
	measurement.Value = "resumed"
	measurement.FinishedAt = &now
	return measurement
}

func (*metric) Terminate(_ *v1alpha1.AnalysisRun, _ v1alpha1.Metric, measurement v1alpha1.Measurement) v1alpha1.Measurement {
	now := metav1.NewTime(time.Unix(1_700_000_040, 0))
	measurement.Phase = v1alpha1.AnalysisPhaseInconclusive
	measurement.Message = "stopped"
	measurement.FinishedAt = &now
	return measurement
}

func (*metric) GarbageCollect(run *v1alpha1.AnalysisRun, m v1alpha1.Metric, limit int) types.RpcError {
	if message := ordersOf(m).Error; message != "" {
		return types.RpcError{ErrorString: fmt.Sprintf("%s (%s, keeping %d)", message, run.Name, limit)}
	}
	return types.RpcError{}
}

func (*metric) GetMetadata(m v1alpha1.Metric) map[string]string {
	return map[string]string{"asked for": m.Name}
}

type step struct{}

func (*step) InitPlugin() types.RpcError { return initialize() }

func (*step) Type() string { return "sample-step" }

func (*step) do(operation string, rollout *v1alpha1.Rollout, context *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	var o orders
	if err := json.Unmarshal(context.Config, &o); err != nil {
		return types.RpcStepResult{}, types.RpcError{ErrorString: err.Error()}
	}
	o.obey()
	requeue, _ := time.ParseDuration(o.RequeueAfter)
	return types.RpcStepResult{
		Phase:        types.StepPhase(o.Phase),
		Message:      o.Message,
		RequeueAfter: requeue,
		Status: json.RawMessage(text(map[string]any{
			"operation": operation,
			"plugin":    context.PluginName,
			"before":    context.Status,
			"rollout":   rollout,
		})),
	}, types.RpcError{ErrorString: o.Error}
}

func (s *step) Run(r *v1alpha1.Rollout, c *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	return s.do("run", r, c)
}

func (s *step) Terminate(r *v1alpha1.Rollout, c *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	return s.do("terminate", r, c)
}

func (s *step) Abort(r *v1alpha1.Rollout, c *types.RpcStepContext) (types.RpcStepResult, types.RpcError) {
	return s.do("abort", r, c)
}
