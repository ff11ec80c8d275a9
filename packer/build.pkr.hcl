# The provisioners: what provisioning/ has, put in and run there.
build {
  sources = ["source.qemu.lean", "source.virtualbox-iso.lean"]

  provisioner "shell" {
    inline = ["mkdir -p /tmp/nutshell"]
  }
  provisioner "file" {
    source      = "${path.root}/../provisioning"
    destination = "/tmp/nutshell"
  }
  provisioner "file" {
    source      = var.package
    destination = "/tmp/nutshell/nutshell.deb"
  }
  # Twice: the second time there must be nothing left to do.
  provisioner "shell" {
    execute_command = "echo contrail | sudo -S env {{ .Vars }} sh -eu {{ .Path }}"
    inline = [
      "cd /tmp/nutshell",
      "sh provisioning/appliance/provision nutshell.deb",
      "again=$(sh provisioning/appliance/provision nutshell.deb)",
      "[ -z \"$again\" ] || { echo \"error: provisioning again changed: $again\"; exit 1; }",
      "cp provisioning/appliance/seal /root/seal",
      "rm -rf /tmp/nutshell",
      "sh /root/seal",
    ]
  }
}
