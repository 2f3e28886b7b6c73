import { increased } from './increased.ts'

/** A Prometheus rule that asks an operator to act. */
export interface Alert {
  name: string
  /** critical: a workload is not confined, or soon will not be. warning: the state differs from the configuration. */
  severity: 'critical' | 'warning'
  expression: string
  /** How long the condition must hold. */
  lasts: string
  /** The state that the alert found; `{{ $labels.NAME }}` prints a label of the series. */
  summary: string
  /** What still works, and what to do. */
  remedy: string
}

/** Prometheus names its targets after the chart's Services. */
const agents = 'job="varmor-agent-metrics-svc"'
const managers = 'job="varmor-metrics-svc"'
const both = 'job=~"varmor-(agent-)?metrics-svc"'
const webhooks = 'name=~".+\\\\.varmor\\\\.org"'
const node = '{{ $labels.instance }}'
/**
 * True if a target did not answer in ten of the last fifteen minutes. A `for` would not do: a process in
 * CrashLoopBackOff answers for a moment every five minutes. Minutes without data do not count.
 */
const unanswered = (job: string): string => `sum_over_time((up{${job}} == bool 0)[15m:1m]) >= 10`
/**
 * A command that prints the readiness of an agent. Agents listen only at the address of their pod. `kubectl get --raw`
 * would not print the text of an answer with the status 503.
 */
const askReadiness = `kubectl -n varmor exec POD -- node -e 'require("http").get({host:process.env.POD_IP,port:process.env.AGENT_READINESS_PORT,path:"/health/readiness"},r=>r.pipe(process.stdout)).on("error",e=>console.error(e.message))'`
const showReady = `kubectl get varmorpolicies,varmorclusterpolicies -A -o 'custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,READY:.status.conditions[?(@.type=="Ready")].status,WHY:.status.conditions[?(@.status=="False")].message'`
const anyIncreased = (window: string, ...counters: string[]): string =>
  counters.map((counter) => `${increased(counter, window)} > 0`).join(' or ')

export const alerts: readonly Alert[] = [
  {
    name: 'VarmorAgentDown',
    severity: 'critical',
    expression: unanswered(agents),
    lasts: '0m',
    summary: `The agent at ${node} did not answer in {{ $value }} of the last fifteen minutes.`,
    remedy:
      'Loaded profiles stay in force, and the kernel keeps BPF violations in its ring. Until the agent is back, this node does not load new policies, and new containers run without their BPF profiles. Check the pod of the agent.',
  },
  {
    name: 'VarmorManagerDown',
    severity: 'warning',
    expression: unanswered(managers),
    lasts: '0m',
    summary: `The manager at ${node} did not answer in {{ $value }} of the last fifteen minutes.`,
    remedy: 'Another manager leads, unless VarmorNoLeader also fires. Check the pod of this manager.',
  },
  {
    name: 'VarmorRestarts',
    severity: 'warning',
    expression: `changes(process_start_time_seconds{${both}}[30m]) > 2`,
    lasts: '0m',
    summary: `The process at ${node} ({{ $labels.job }}) restarted {{ $value }} times in half an hour.`,
    remedy:
      'Loaded profiles stay in force. Run kubectl describe on its pod to see the reason of the last exit. If it is OOMKilled, raise the memory limit: manager.resources, agent.bpfLsmEnforcer.resources, or, with bpfLsmEnforcer.enabled: false, agent.appArmorLsmEnforcer.resources. Otherwise, see its log: kubectl logs --previous.',
  },
  {
    name: 'VarmorNoLeader',
    severity: 'critical',
    // The second part finds leaders that lose the lease again and again. A stable leader leads for four minutes before
    // `lasts` ends.
    expression:
      '(sum(varmor_leader) or vector(0)) < 1 or (count_over_time((sum(varmor_leader) > 0)[10m:1m]) or vector(0)) < 4',
    lasts: '5m',
    summary: 'vArmor has no leading manager.',
    remedy:
      'Loaded profiles stay in force. New and changed policies have no effect. Check the pods of the managers and the Lease varmor-manager.',
  },
  {
    name: 'VarmorNodeNotReady',
    severity: 'warning',
    expression: 'varmor_ready == 0',
    lasts: '15m',
    summary: `The node of the agent at ${node} lacks profiles that policies require.`,
    remedy: `Find the POD on that node with \`kubectl -n varmor get pods -o wide\`, and list the missing profiles: \`${askReadiness}\`. The conditions of the ArmorProfiles have the reasons. If the answer has \`listed: false\`, the agent cannot get the ArmorProfiles, and its log says why.`,
  },
  {
    name: 'VarmorProfilesFailed',
    severity: 'critical',
    expression: 'varmor_profiles{state="failed"} > 0',
    lasts: '5m',
    summary: `{{ $value }} profiles cannot be loaded on the node of the agent at ${node}.`,
    remedy:
      'The conditions of the ArmorProfiles have the reasons. EnforcerAbsent means that the node lacks that enforcer, so its rules do not protect containers there. The previous version of a profile stays in force.',
  },
  {
    name: 'VarmorPoliciesNotReady',
    severity: 'warning',
    expression: 'max by (state) (varmor_policy_states{state=~"not-ready|unknown"}) > 0',
    lasts: '15m',
    summary: '{{ $value }} policies are {{ $labels.state }}.',
    remedy: `Read the conditions with status False; for a refused policy, that is Created or Updated: \`${showReady}\`.`,
  },
  {
    name: 'VarmorObjectsOutlined',
    severity: 'warning',
    expression: 'max by (resource) (varmor_objects_outlined) > 0',
    lasts: '5m',
    summary:
      'Managers do not handle {{ $value }} {{ $labels.resource }}, because their namespaces exceed their memory quota.',
    remedy:
      'A namespace has more or larger objects than managers keep for one namespace. Such a policy keeps its previous profile, and its condition Created or Updated says so; such a workload is not restarted. Delete objects, limit them with a ResourceQuota, or raise manager.resources.limits.memory, from which the quota follows.',
  },
  {
    name: 'VarmorEnforcementGaps',
    severity: 'warning',
    expression: 'max(varmor_policy_states{state="partly-enforced"}) > 0',
    lasts: '1h',
    summary: '{{ $value }} policies are only partly enforced.',
    remedy:
      'An enforcer or a kernel does not support some rules, or pods can run on a node without an agent. The STATUS column of the policy has the reason.',
  },
  {
    name: 'VarmorContainersStartedFree',
    severity: 'critical',
    expression: anyIncreased('15m', 'varmor_bpf_late_containers_total', 'varmor_bpf_binding_failures_total'),
    lasts: '0m',
    summary: `Containers at ${node} ran, or still run, without their BPF profile.`,
    remedy:
      'The log of the agent names them. "ran without its BPF profile until now": the container is confined now, and the line has the time that it ran unconfined. The causes: no agent ran, the runtime has no NRI (containerd enables it from 2.0; for 1.7 see docs/bpf.md), or the profile was loaded only after the runtime stopped waiting. "cannot be put into its BPF profile": the container may still run unconfined; the line has the reason.',
  },
  {
    name: 'VarmorViolationsLost',
    severity: 'warning',
    expression: anyIncreased('15m', 'varmor_audit_lost_total', 'varmor_audit_lost_unknown_total'),
    lasts: '0m',
    summary: `Violations are missing in the log of ${node} ({{ $labels.where }}: {{ $labels.why }}).`,
    remedy:
      'Enforcement is not affected. `lost` lines in the log have the time, and the number if it is known. With `digest`, only the digest lacks them. A model that was recorded at that time may be incomplete.',
  },
  {
    name: 'VarmorNoAuditSource',
    severity: 'warning',
    expression: 'varmor_audit_source{kind="none"} == 1',
    lasts: '15m',
    summary: `Violations of AppArmor and Seccomp are not reported at ${node}.`,
    remedy: 'Policies are still enforced. The log of the agent says why it cannot read audit records.',
  },
  {
    name: 'VarmorRecordsSilenced',
    severity: 'warning',
    expression: 'varmor_audit_silenced{reason!="unknown"} == 1',
    lasts: '1m',
    summary: `The kernel at ${node} does not write {{ $labels.records }} records, of all or of some processes: every log lacks their violations.`,
    remedy:
      'Policies are still enforced. With reason="rule" an audit rule excludes the records; published rule sets have such rules. With reason="setting" AppArmor is set to quiet, or kernel.seccomp.actions_logged lacks actions. The log and the readiness answer of the agent name the cause and the remedy.',
  },
  {
    name: 'VarmorLogStuck',
    severity: 'critical',
    expression: 'varmor_queue_age_seconds{queue="log"} > 60',
    lasts: '2m',
    summary: `violations.log cannot be written at ${node}.`,
    remedy:
      'Lines wait in memory. When it is full, BPF violations are lost in the kernel (ring), and AppArmor and Seccomp violations in the agent (sink); both are counted. Check the disk.',
  },
  {
    name: 'VarmorWebhookUnanswered',
    severity: 'critical',
    expression: [
      `apiserver_admission_webhook_fail_open_count{${webhooks}}`,
      `apiserver_admission_webhook_rejection_count{${webhooks}, error_type!="no_error"}`,
    ]
      .map((series) => `sum by (name) ${increased(series, '10m')} > 0`)
      .join(' or '),
    lasts: '0m',
    summary: 'The API server got no answer from the webhook {{ $labels.name }}.',
    remedy:
      'With the failure policy Ignore, mutatepod and mutateworkload: pods were created without their profiles; restart them. mutateephemeral: a debug container runs without its profile. Other webhooks with Ignore: a policy or an ArmorProfile was stored without a check. With Fail, the request was rejected. Check the managers, their Service and their certificate.',
  },
  {
    name: 'VarmorWebhookSlow',
    severity: 'warning',
    expression: 'histogram_quantile(0.99, sum by (le) (rate(varmor_webhook_latency_bucket[10m]))) > 1',
    lasts: '10m',
    summary: 'One in a hundred reviews takes more than {{ $value }} s.',
    remedy: 'Pods wait for these reviews. The managers lack CPU, or a policy is costly to compile.',
  },
  {
    name: 'VarmorPartFailing',
    severity: 'warning',
    expression: `${increased('varmor_part_failures_total', '30m')} > 3`,
    lasts: '0m',
    summary: `The component {{ $labels.part }} at ${node} fails repeatedly.`,
    remedy: 'It restarts each time. The log of the process has the error.',
  },
  {
    name: 'VarmorCertificateEnds',
    severity: 'critical',
    expression: 'min by (certificate) (varmor_certificate_expiry_seconds - time()) < 7 * 86400',
    lasts: '1h',
    summary: 'The {{ $labels.certificate }} certificate of the managers expires within a week.',
    remedy:
      'The renewal failed. The value certificates.source of the chart says who renews it. managers: their log says why they cannot write the Secret varmor-manager-tls. secret: you renew it, in the Secret that certificates.secretName names. cert-manager: `kubectl -n varmor describe certificates` shows the error.',
  },
]
