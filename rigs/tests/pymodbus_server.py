"""A Modbus server of pymodbus. Arguments: port, framing (socket or rtu)."""

import asyncio
import logging
import sys

from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import StartAsyncTcpServer

# Its warnings are about the names of its own classes.
logging.disable(logging.WARNING)


def block(values):
    # Address 0 on the line is address 1 of a block.
    return ModbusSequentialDataBlock(1, values)


async def main(port, framing):
    device = ModbusDeviceContext(
        di=block([True, False] * 50), co=block([False] * 100), hr=block([17] * 100), ir=block(list(range(100)))
    )
    identity = ModbusDeviceIdentification(
        info_name={"VendorName": "V" * 120, "ProductCode": "P" * 120, "MajorMinorRevision": "1.0"}
    )
    await StartAsyncTcpServer(
        context=ModbusServerContext(devices={9: device}, single=False),
        identity=identity,
        framer=FramerType(framing),
        address=("127.0.0.1", port),
    )


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
