#!/usr/bin/env bash
# kubectl 1.20.2 of Debian 12 (kubernetes-client 1.20.5+really1.20.2-1.1+deb12u1), `kubectl kustomize`; the same was seen with kustomize
# v5.5.0 in kubectl 1.32.4 and `labels` with `includeSelectors: true`: labels that a customization adds are also added to the pods that a
# NetworkPolicy lets in, whoever they are, and not to an empty selector of the pods that it protects. So a policy that was to let in
# Prometheus lets in only pods that carry the label of the application itself, and holds for every pod of the namespace.
# Whoever writes policies names the pods in the policy, and adds no label to selectors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 "$work"
apt-get download -qq kubernetes-client=1.20.5+really1.20.2-1.1+deb12u1 2>/dev/null
dpkg -x kubernetes-client_*.deb program
mkdir shop
cat >shop/kustomization.yaml <<'YAML'
commonLabels:
  app: shop
resources: [policy.yaml]
YAML
cat >shop/policy.yaml <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: shop
spec:
  podSelector: {}
  ingress:
    - from:
        - podSelector:
            matchLabels:
              app: prometheus-of-somebody
        - podSelector:
            matchLabels:
              role: client
YAML
program/usr/bin/kubectl kustomize shop | tee made
# Of the one who had a label of that name, it is overwritten; the other has one more; the selector of the policy is as it was.
[ "$(grep -c 'app: shop' made)" -eq 3 ]
! grep -q prometheus-of-somebody made
grep -q '^  podSelector: {}$' made
