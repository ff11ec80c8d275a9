# One machine, from two builders. Both have the user `stack`, and what the provisioners do is the same.

# Needs no VirtualBox and no installer: boots a disk that `appliance build` made.
source "qemu" "lean" {
  disk_image       = true
  iso_url          = var.disk
  iso_checksum     = "none"
  use_backing_file = false
  skip_resize_disk = true
  format           = "qcow2"
  output_directory = var.output
  vm_name          = "machine.qcow2"

  accelerator    = var.accelerator
  headless       = true
  memory         = var.memory
  cpus           = var.processors
  disk_interface = "virtio-scsi"
  disk_discard   = "unmap"
  net_device     = "virtio-net"

  ssh_username     = "stack"
  ssh_password     = "contrail"
  ssh_timeout      = "20m"
  shutdown_command = "echo contrail | sudo -S systemctl poweroff"
  shutdown_timeout = "5m"
}

# The machine as VirtualBox itself makes it: Debian's installer, answered by http/preseed.cfg.
source "virtualbox-iso" "lean" {
  # The small one, which is on every mirror.
  iso_url          = "http://${var.mirror}/debian/dists/bookworm/main/installer-amd64/current/images/netboot/mini.iso"
  iso_checksum     = "file:http://${var.mirror}/debian/dists/bookworm/main/installer-amd64/current/images/SHA256SUMS"
  guest_os_type    = "Debian_64"
  output_directory = var.output
  vm_name          = "Nutshell"
  format           = "ova"

  headless             = true
  disk_size            = 20480
  hard_drive_interface = "sata"
  guest_additions_mode = "disable"
  http_directory       = "${path.root}/http"
  boot_wait            = "5s"
  boot_command = [
    "<esc><wait>",
    "auto url=http://{{ .HTTPIP }}:{{ .HTTPPort }}/preseed.cfg hostname=nutshell domain= ",
    "mirror/http/hostname=${var.mirror} net.ifnames=0 --- net.ifnames=0<enter>",
  ]
  vboxmanage = [
    ["modifyvm", "{{ .Name }}", "--memory", "${var.memory}", "--cpus", "${var.processors}"],
    ["modifyvm", "{{ .Name }}", "--nic2", "hostonly", "--hostonlyadapter2", "vboxnet0"],
  ]

  ssh_username     = "stack"
  ssh_password     = "contrail"
  ssh_timeout      = "60m"
  shutdown_command = "echo contrail | sudo -S systemctl poweroff"
}
