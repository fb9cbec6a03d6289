// What a node needs beside them; it runs on Linux alone.
package main

import (
	"context"

	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func init() {
	programs["kube-proxy"] = func() { exit(proxy.NewProxyCommand()) }
	programs["kubelet"] = func() { exit(kubelet.NewKubeletCommand(context.Background())) }
}
