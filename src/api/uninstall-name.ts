/** A ConfigMap of this name in vArmor's namespace says that it is being uninstalled; `varmor uninstall` makes it, and removes it. */
export const uninstallName = 'varmor-uninstall'
