import { Counter, type Registry } from 'prom-client'
import type { AgentReport } from '../../api/agent-report.ts'

/** Upstream's metrics of agents' reports by node, and metrics of the answers. WebhookMetrics explains the names. */
export class ReportMetrics {
  #success: Counter<'node_name'>
  #failure: Counter<'node_name'>
  #changes: Counter<'node_name'>
  #reports: Counter<'code'>
  #profiles: Counter
  #ignored: Counter

  constructor(registry: Registry) {
    const registers = [registry]
    const byNode = (name: string, help: string) =>
      new Counter({ name, help, labelNames: ['node_name'] as const, registers })
    this.#success = byNode('varmor_profile_processing_success_total', 'Profiles that a node loaded')
    this.#failure = byNode('varmor_profile_processing_failure_total', 'Profiles that a node failed to load')
    this.#changes = byNode('varmor_profile_change_count_total', 'Changes of profiles that a node reported')
    this.#reports = new Counter({
      name: 'varmor_agent_reports_total',
      help: 'Reports of agents, by the HTTP status of the answer',
      labelNames: ['code'],
      registers,
    })
    this.#profiles = new Counter({ name: 'varmor_agent_report_profiles_total', help: 'Profiles in reports', registers })
    this.#ignored = new Counter({
      name: 'varmor_agent_report_ignored_profiles_total',
      help: 'Reported profiles that were ignored because the profile or the node does not exist',
      registers,
    })
  }

  /**
   * Counts the accepted part of a report. Repeated entries of a complete report do not count as changes. A report
   * without accepted entries creates no series for its node.
   */
  taken({ node, profiles, complete }: AgentReport, ignored: number): void {
    this.#ignored.inc(ignored)
    let changes = 0
    let failed = 0
    for (const { state, changed = !complete } of profiles) {
      if (changed) changes++
      if (changed && state === 'failed') failed++
    }
    const labels = { node_name: node }
    if (failed > 0) this.#failure.inc(labels, failed)
    if (changes > failed) this.#success.inc(labels, changes - failed)
    if (changes > 0) this.#changes.inc(labels, changes)
  }

  answered({ status, profiles }: { status: number; profiles: number }): void {
    this.#reports.inc({ code: String(status) })
    this.#profiles.inc(profiles)
  }

  /** Ends the series of a deleted node. */
  forget(node: string): void {
    for (const counter of [this.#success, this.#failure, this.#changes]) counter.remove(node)
  }
}
