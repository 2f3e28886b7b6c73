import { increased } from './increased.ts'

/** A rule of Prometheus that says that somebody has to look. */
export interface Alert {
  name: string
  /** critical: something is not protected, or will soon not be. warning: something is not as it was asked for. */
  severity: 'critical' | 'warning'
  expression: string
  /** How long it has to be so. */
  lasts: string
  /** What is so, with labels of the series as `{{ $labels.NAME }}`. */
  summary: string
  /** What still holds, and what to do. */
  remedy: string
}

/** Prometheus calls what it scrapes by the Service of the chart. */
const agents = 'job="varmor-agent-metrics-svc"'
const managers = 'job="varmor-metrics-svc"'
const both = 'job=~"varmor-(agent-)?metrics-svc"'
const webhooks = 'name=~".+\\\\.varmor\\\\.org"'
const node = '{{ $labels.instance }}'
/**
 * Ten of the last fifteen minutes, in any order: a process in CrashLoopBackOff lives for a moment every five minutes, with which `for`
 * would begin anew. Minutes of which Prometheus knows nothing do not count.
 */
const unanswered = (job: string): string => `sum_over_time((up{${job}} == bool 0)[15m:1m]) >= 10`
/** Agents listen at the address of their pod alone, which usually is the node's, and the answer is 503, of which `kubectl get --raw` would not show the text. */
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
      'Profiles that the kernel has stay in force, and BPF violations wait in its ring. New policies wait for the agent, and containers that start meanwhile run without their BPF profiles until it is back. Look at its pod.',
  },
  {
    name: 'VarmorManagerDown',
    severity: 'warning',
    expression: unanswered(managers),
    lasts: '0m',
    summary: `The manager at ${node} did not answer in {{ $value }} of the last fifteen minutes.`,
    remedy: 'Another one leads, or VarmorNoLeader says that none does. Look at its pod.',
  },
  {
    name: 'VarmorRestarts',
    severity: 'warning',
    expression: `changes(process_start_time_seconds{${both}}[30m]) > 2`,
    lasts: '0m',
    summary: `The process at ${node} ({{ $labels.job }}) was started anew {{ $value }} times in half an hour.`,
    remedy:
      'What is loaded stays in force. kubectl describe of its pod says why it ended last; where that is OOMKilled, give it more memory: manager.resources, agent.bpfLsmEnforcer.resources, or with bpfLsmEnforcer.enabled: false agent.appArmorLsmEnforcer.resources. Else its log says so: kubectl logs --previous.',
  },
  {
    name: 'VarmorNoLeader',
    severity: 'critical',
    // Second, one that leads for a moment again and again: a leader that stays has been there for four minutes before `lasts` is over.
    expression:
      '(sum(varmor_leader) or vector(0)) < 1 or (count_over_time((sum(varmor_leader) > 0)[10m:1m]) or vector(0)) < 4',
    lasts: '5m',
    summary: 'No manager leads.',
    remedy:
      'What is loaded stays in force. Policies that are made or changed are not carried out. Look at the pods of the managers, and at the Lease varmor-manager.',
  },
  {
    name: 'VarmorNodeNotReady',
    severity: 'warning',
    expression: 'varmor_ready == 0',
    lasts: '15m',
    summary: `The node of the agent at ${node} does not hold all profiles.`,
    remedy: `Its /health/readiness names them: \`${askReadiness}\`, of the POD that \`kubectl -n varmor get pods -o wide\` shows there. The conditions of the ArmorProfiles say why. With \`listed: false\` it names none: the agent does not get the ArmorProfiles, and its log says why.`,
  },
  {
    name: 'VarmorProfilesFailed',
    severity: 'critical',
    expression: 'varmor_profiles{state="failed"} > 0',
    lasts: '5m',
    summary: `{{ $value }} profiles could not be loaded by the agent at ${node}.`,
    remedy:
      'The conditions of the ArmorProfiles say why. With EnforcerAbsent the node lacks that enforcer, and nothing of it protects there. What was loaded before stays in force.',
  },
  {
    name: 'VarmorPoliciesNotReady',
    severity: 'warning',
    expression: 'max by (state) (varmor_policy_states{state=~"not-ready|unknown"}) > 0',
    lasts: '15m',
    summary: '{{ $value }} policies are {{ $labels.state }}.',
    remedy: `Look at the conditions with status False; of a refused policy that is Created or Updated: \`${showReady}\`.`,
  },
  {
    name: 'VarmorObjectsOutlined',
    severity: 'warning',
    expression: 'max by (resource) (varmor_objects_outlined) > 0',
    lasts: '5m',
    summary: 'Managers have no room for {{ $value }} {{ $labels.resource }}.',
    remedy:
      'A namespace has more, or larger ones, than managers keep for one. Such a policy keeps the profile of before, and its condition Created or Updated says that there is no room for it; such a workload is not restarted. Delete some, bound them by a ResourceQuota, or raise manager.resources.limits.memory: the room grows with it.',
  },
  {
    name: 'VarmorEnforcementGaps',
    severity: 'warning',
    expression: 'max(varmor_policy_states{state="partly-enforced"}) > 0',
    lasts: '1h',
    summary: '{{ $value }} policies are enforced in part only.',
    remedy:
      'An enforcer or a kernel leaves rules out, or pods can land on a node without an agent. The STATUS column of the policy names it.',
  },
  {
    name: 'VarmorContainersStartedFree',
    severity: 'critical',
    expression: anyIncreased('15m', 'varmor_bpf_late_containers_total', 'varmor_bpf_binding_failures_total'),
    lasts: '0m',
    summary: `Containers ran, or still run, without their BPF profile at ${node}.`,
    remedy:
      'The log of the agent says which. "ran without its BPF profile until now": it is bound now, and the line has the time that it ran free. That is so where no agent ran, the runtime has no NRI (it is on in containerd from 2.0; docs/bpf.md says how in 1.7), or the profile was loaded later than the runtime waits with a start. "cannot be put into its BPF profile": it may still run free, and the reason beside it says why.',
  },
  {
    name: 'VarmorViolationsLost',
    severity: 'warning',
    expression: anyIncreased('15m', 'varmor_audit_lost_total', 'varmor_audit_lost_unknown_total'),
    lasts: '0m',
    summary: `Violations are missing in the log of ${node} ({{ $labels.where }}: {{ $labels.why }}).`,
    remedy:
      'Enforcement is as ever. Lines `lost` of the log have the time, and the number where it is known. `digest`: the digest alone lacks them. A workload that is recorded meanwhile may lack them in its model.',
  },
  {
    name: 'VarmorNoAuditSource',
    severity: 'warning',
    expression: 'varmor_audit_source{kind="none"} == 1',
    lasts: '15m',
    summary: `Violations of AppArmor and Seccomp are not followed at ${node}.`,
    remedy: 'What policies forbid is refused. The log of the agent says what keeps it from the records of the kernel.',
  },
  {
    name: 'VarmorRecordsSilenced',
    severity: 'warning',
    expression: 'varmor_audit_silenced{reason!="unknown"} == 1',
    lasts: '1m',
    summary: `The kernel makes no records of {{ $labels.records }}, or not of all processes, at ${node}: their violations are missing in every log.`,
    remedy:
      'What policies forbid is refused. reason rule: an audit rule excludes them, as of a published rule set; setting: AppArmor is set to be quiet, or kernel.seccomp.actions_logged lacks actions. The log and the readiness of the agent name it, and how to undo it.',
  },
  {
    name: 'VarmorLogStuck',
    severity: 'critical',
    expression: 'varmor_queue_age_seconds{queue="log"} > 60',
    lasts: '2m',
    summary: `violations.log cannot be written at ${node}.`,
    remedy:
      'Lines wait; then those of BPF are lost in the kernel (ring), and those of AppArmor and Seccomp in the agent (sink). Both are counted. Look at the disk.',
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
    summary: 'The API server got no answer of the webhook {{ $labels.name }}.',
    remedy:
      'mutatepod, mutateworkload: with the failure policy Ignore pods were made outside of their profiles: restart them. Other webhooks: with Ignore a policy or an ArmorProfile was taken unchecked. With Fail what was asked for was refused. Look at the managers, their Service and their certificate.',
  },
  {
    name: 'VarmorWebhookSlow',
    severity: 'warning',
    expression: 'histogram_quantile(0.99, sum by (le) (rate(varmor_webhook_latency_bucket[10m]))) > 1',
    lasts: '10m',
    summary: 'One in a hundred reviews takes more than {{ $value }} s.',
    remedy: 'Pods wait for them. The managers lack processor time, or a policy is costly to compile.',
  },
  {
    name: 'VarmorPartFailing',
    severity: 'warning',
    expression: `${increased('varmor_part_failures_total', '30m')} > 3`,
    lasts: '0m',
    summary: `{{ $labels.part }} fails again and again at ${node}.`,
    remedy: 'It is begun anew each time. The log of the process has the error.',
  },
  {
    name: 'VarmorCertificateEnds',
    severity: 'critical',
    expression: 'min by (certificate) (varmor_certificate_expiry_seconds - time()) < 7 * 86400',
    lasts: '1h',
    summary: 'The {{ $labels.certificate }} certificate of the managers ends within a week.',
    remedy:
      'Its renewal has failed. Who renews it depends on the value certificates.source of the chart. managers: their log says what keeps them from writing the Secret varmor-manager-tls. secret: by you, in the Secret that certificates.secretName names. cert-manager: `kubectl -n varmor describe certificates` says what keeps it from that.',
  },
]
