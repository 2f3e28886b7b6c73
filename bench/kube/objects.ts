/** An ArmorProfile of about 2.6 kB, a third of it managedFields, as in a cluster. `version` 0: as created. */
export function armorProfile(serial: number, version: number): object {
  const name = `varmor-team-${serial % 50}-web-${serial}`
  const fields = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`f:field${i}`, { 'f:value': {}, 'f:other': {} }]),
  )
  return {
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'ArmorProfile',
    metadata: {
      name,
      namespace: `team-${serial % 50}`,
      uid: `00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`,
      resourceVersion: String(version || serial + 1),
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { app: 'varmor', tier: String(serial % 3) },
      managedFields: [
        {
          manager: 'varmor',
          operation: 'Update',
          apiVersion: 'crd.varmor.org/v1beta1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': fields, 'f:status': fields },
        },
      ],
    },
    spec: {
      behaviorModeling: { enable: false },
      profile: {
        name,
        enforcer: 'BPF',
        mode: 'enforce',
        bpfContent: {
          files: Array.from({ length: 12 }, (_, i) => ({
            permissions: 18,
            pattern: { flags: 4, prefix: `/etc/secret-${serial}/${i}/`, suffix: '' },
          })),
        },
      },
    },
    status: { desiredNumberLoaded: 3, currentNumberLoaded: version % 4, conditions: [] },
  }
}
