# For packer 1.7 and later, whose builders are plugins: `packer init packer/plugins` installs them. Apart from the
# templates, because packer 1.6, Debian 12's, has them inside and does not know this block.
packer {
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
    virtualbox = {
      source  = "github.com/hashicorp/virtualbox"
      version = ">= 1.0.5"
    }
  }
}
