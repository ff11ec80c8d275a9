# What `appliance build` says with -var; the defaults serve whoever calls packer themselves.

variable "package" {
  type        = string
  description = "The project's Debian package; nutshell/debian/build makes it."
  default     = "nutshell.deb"
}

variable "output" {
  type        = string
  description = "The directory that the machine is put in; packer makes it."
  default     = "machine"
}

variable "disk" {
  type        = string
  description = "The qemu builder: a disk with the system on it, which `appliance build` makes of Debian's packages."
  default     = "root.qcow2"
}

variable "accelerator" {
  type        = string
  description = "The qemu builder: kvm, or tcg where the processor runs no guests."
  default     = "tcg"
}

variable "memory" {
  type        = number
  description = "In MiB."
  default     = 2048
}

variable "processors" {
  type    = number
  default = 2
}

variable "mirror" {
  type        = string
  description = "The virtualbox-iso builder: the host of a Debian mirror, for the installer and its packages."
  default     = ""
}
