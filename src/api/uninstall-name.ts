/**
 * A ConfigMap of this name in vArmor's namespace marks a running uninstall. `varmor uninstall` creates and removes it.
 */
export const uninstallName = 'varmor-uninstall'
