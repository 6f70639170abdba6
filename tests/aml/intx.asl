/* SPDX-License-Identifier: GPL-2.0-only
 *
 * intx.aml, for `-acpitable file=`: made by `iasl -p intx intx.asl` (Debian: acpica-tools). Lines of what is behind
 * two root ports of a Q35. The first is told by ports, registers and firmware's memory, and right. The
 * second asks for configuration space by its ports, which nobody gets.
 */
DefinitionBlock ("", "SSDT", 2, "POSTRN", "INTX", 1)
{
    External (\_SB.PCI0.S68, DeviceObj)
    External (\_SB.PCI0.S70, DeviceObj)

    OperationRegion (FWCF, SystemIO, 0x0510, 0x02)          /* QEMU's fw_cfg: selector, data */
    Field (FWCF, WordAcc, NoLock, Preserve) { FSEL, 16 }
    Field (FWCF, ByteAcc, NoLock, Preserve) { Offset (0x01), FDAT, 8 }
    OperationRegion (TIMR, SystemMemory, 0xFED00000, 0x0400) /* HPET */
    Field (TIMR, DWordAcc, NoLock, Preserve) { , 16, VEND, 16 }
    OperationRegion (NVSM, SystemMemory, 0x00810000, 0x10)  /* OVMF keeps it as ACPI NVS */
    Field (NVSM, ByteAcc, NoLock, Preserve) { PART, 8 }
    OperationRegion (CONF, SystemIO, 0x0CF8, 0x08)
    Field (CONF, DWordAcc, NoLock, Preserve) { CADR, 32, CDAT, 32 }
    OperationRegion (UNIT, SystemMemory, 0xFED90000, 0x1000) /* never to be had: an IOMMU, an IOAPIC, RAM */
    OperationRegion (APIC, SystemMemory, 0xFEC00000, 0x1000)
    OperationRegion (RAMM, SystemMemory, 0x02000000, 0x1000)

    Scope (\_SB.PCI0.S68)
    {
        Method (_PRT, 0, Serialized)
        {
            Local0 = Package () { Package () { 0xFFFF, 0, 0, 0 } }
            FSEL = 0
            PART = FDAT & 0x11                              /* 'Q': 0x51 */
            If (VEND == 0x8086)
            {
                PART += 4
            }
            DerefOf (Local0 [0]) [3] = PART
            Return (Local0)
        }
    }

    Scope (\_SB.PCI0.S70)
    {
        Method (_PRT, 0, Serialized)
        {
            CADR = 0x80000000
            Return (Package () { Package () { 0xFFFF, 0, 0, 22 } })
        }
    }
}
