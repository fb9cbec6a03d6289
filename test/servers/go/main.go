// The Kubernetes of the tests in one program, which does what the name it is called by does: the packages that its parts
// share are compiled and linked once, and that is most of the time a build takes.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

var programs = map[string]func(){
	"etcd":                    func() { etcdmain.Main(os.Args) },
	"kube-apiserver":          func() { exit(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() { exit(controllers.NewControllerManagerCommand()) },
	"kube-scheduler":          func() { exit(scheduler.NewSchedulerCommand()) },
	"kubectl":                 func() { kubectlutil.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand())) },
}

func exit(command *cobra.Command) { os.Exit(cli.Run(command)) }

func main() {
	run, known := programs[filepath.Base(os.Args[0])]
	if !known {
		names := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
		fmt.Fprintln(os.Stderr, "call it by a link with the name of a program:", names)
		os.Exit(2)
	}
	run()
}
